//! The typesetter, with its embedded fonts and only the files it is given: no disk, no network, no
//! clock.

use crate::{ReportError, fused};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration, Smart};
use typst::layout::Abs;
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook, FontInstance, FontVariant, FontVariations, FontWeight};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt};
use typst_kit::fonts::{FontStore, embedded};
use typst_layout::PagedDocument;
use typst_pdf::PdfOptions;

/// Loading fonts takes time; they are the same for every document.
static FONTS: LazyLock<FontStore> = LazyLock::new(|| {
    let mut fonts = FontStore::new();
    fonts.extend(embedded());
    fonts
});

/// The face that figures are lettered in.
pub(crate) const FACE: &str = "Libertinus Serif";

/// Width of a line of text in a figure, in the unit of `size`. Letters that the face lacks count as
/// wide as they are high.
pub(crate) fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    static FACES: LazyLock<[Option<FontInstance>; 2]> = LazyLock::new(|| {
        [FontWeight::REGULAR, FontWeight::SEMIBOLD].map(|weight| {
            let variant = FontVariant { weight, ..FontVariant::default() };
            let font = FONTS.font(FONTS.book().select(&FACE.to_lowercase(), variant)?)?;
            Some(font.instantiate(variant, Abs::pt(12.0), &FontVariations::default()))
        })
    });
    let face = FACES[usize::from(bold)].as_ref();
    let ems = |c: char| Some(face?.x_advance(face?.ttf().glyph_index(c)?.0)?.get());
    size * text.chars().map(|c| ems(c).unwrap_or(1.0)).sum::<f64>()
}

/// Files by name.
pub type Files = BTreeMap<String, Bytes>;

/// A document and its files.
pub struct World {
    library: LazyHash<Library>,
    main: Source,
    files: Files,
}

impl World {
    /// A document of typst markup, and files by name.
    #[must_use]
    pub fn new(markup: &str, files: Files) -> Self {
        Self {
            library: LazyHash::new(Library::default()),
            main: Source::new(id("main.typ"), markup.to_owned()),
            files,
        }
    }

    fn document(&self) -> Result<PagedDocument, ReportError> {
        typst::compile::<PagedDocument>(self).output.map_err(|e| self.failed(&e))
    }

    fn failed(&self, errors: &[SourceDiagnostic]) -> ReportError {
        ReportError::Typesetting(errors.first().map_or_else(String::new, |e| {
            use typst::WorldExt;
            let line = self
                .range(e.span)
                .map(|r| self.main.text()[..r.start.min(self.main.text().len())].lines().count());
            let place = line.map_or(String::new(), |l| format!(", line {l} of the template"));
            format!("{}{place}", e.message)
        }))
    }

    /// The document as PDF; `ident` tells it from others.
    ///
    /// # Errors
    /// When the markup cannot be set.
    pub fn pdf(&self, ident: &str) -> Result<Vec<u8>, ReportError> {
        let document = self.document()?;
        let options = PdfOptions {
            ident: Smart::Custom(ident.to_owned()),
            creator: Smart::Custom(Some("Hepatica".to_owned())),
            ..PdfOptions::default()
        };
        typst_pdf::pdf(&document, &options).map_err(|e| self.failed(&e))
    }

    /// Every page as PNG, with so many pixels per point.
    ///
    /// # Errors
    /// When the markup cannot be set, or a page cannot be encoded.
    pub fn png(&self, pixels_per_point: f32) -> Result<Vec<Vec<u8>>, ReportError> {
        let document = self.document()?;
        let options = typst_render::RenderOptions {
            pixel_per_pt: f64::from(pixels_per_point).into(),
            ..typst_render::RenderOptions::default()
        };
        document
            .pages()
            .par_iter()
            .enumerate()
            .map(|(n, page)| {
                let page = typst_render::render(page, &options);
                // Pages are opaque: nothing is lost with the fourth channel.
                let rgb: Vec<u8> =
                    page.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
                fused::encode(page.width() as usize, page.height() as usize, &rgb)
                    .map_err(|why| ReportError::Picture { name: format!("page {}", n + 1), why })
            })
            .collect()
    }
}

fn id(name: &str) -> FileId {
    // Names are ours: letters, digits, a dot.
    let path = VirtualPath::new(name).unwrap_or_else(|e| unreachable!("{e:?}"));
    FileId::new(RootedPath::new(VirtualRoot::Project, path))
}

impl typst::World for World {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        FONTS.book()
    }

    fn main(&self) -> FileId {
        self.main.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.main.id() { Ok(self.main.clone()) } else { Err(FileError::AccessDenied) }
    }

    fn file(&self, wanted: FileId) -> FileResult<Bytes> {
        let found = self.files.iter().find(|(name, _)| id(name) == wanted);
        found.map(|(_, bytes)| bytes.clone()).ok_or(FileError::AccessDenied)
    }

    fn font(&self, index: usize) -> Option<Font> {
        FONTS.font(index)
    }

    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}
