//! What pages with images share: the tools above them and the scales below.

use super::layout::asset;
use maud::{Markup, html};

/// Windows of the CT.
const WINDOWS: [(&str, &str); 4] =
    [("soft", "Soft tissue"), ("liver", "Liver"), ("lung", "Lung"), ("bone", "Bone")];
/// Ways to look.
const LAYOUTS: [(&str, &str); 5] = [
    ("planes", "Three planes"),
    ("axial", "Axial"),
    ("coronal", "Coronal"),
    ("sagittal", "Sagittal"),
    ("volume", "Volume"),
];

/// The script of a page and what it loads, for the head.
#[must_use]
pub fn head(script: &str) -> Markup {
    html! {
        link rel="modulepreload" href=(asset("look.js"));
        link rel="modulepreload" href=(asset("viewer.js"));
        script type="module" src=(asset(script)) {}
    }
}

/// The tools: those of the page first; `layout` is how one begins to look.
#[must_use]
pub fn tools(own: &Markup, layout: &str) -> Markup {
    html! {
        div.tools role="group" aria-label="View" {
            (own)
            label { "Strength " input type="range" id="opacity" min="0" max="1" step="0.05" value="0.55"; }
            label { "Window " select id="window" { @for (v, n) in WINDOWS { option value=(v) { (n) } } } }
            label { "View " select id="layout" { @for (v, n) in LAYOUTS { option value=(v) selected[v == layout] { (n) } } } }
            label { input type="checkbox" id="contours" checked; " Contours" }
        }
    }
}

/// A place for pictures, said in words; arrow keys move the cross there.
#[must_use]
pub fn stage(id: &str, words: &str) -> Markup {
    html! {
        div.stage { canvas id=(id) tabindex="0" aria-label={ (words) " Arrow keys, page up and page down move the cross." } {} p.loading role="status" { "Loading images" } }
    }
}

/// A scale of colours; the script fills it.
#[must_use]
pub fn scale(id: &str) -> Markup {
    html! {
        div.scale id=(id) aria-hidden="true" { span.name {} span.low {} canvas width="256" height="12" {} span.high {} }
    }
}
