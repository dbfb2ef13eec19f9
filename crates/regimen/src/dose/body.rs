//! What a dose is made for: body surface and kidneys.

use super::DoseError;
use hepatica_physics::{Length, Mass};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A formula for the body surface; protocol data names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SurfaceFormula {
    /// Du Bois and Du Bois 1916: `0.20247 H^0.725 W^0.425`.
    #[default]
    DuBois,
    /// Mosteller 1987: `sqrt(H_cm W / 3600)`.
    Mosteller,
}

impl SurfaceFormula {
    /// Body surface in m² of a height and a weight; not a number if one of them is below zero.
    #[must_use]
    pub fn body_surface_m2(self, height: Length, weight: Mass) -> f64 {
        match self {
            Self::DuBois => 0.20247 * height.m().powf(0.725) * weight.kg().powf(0.425),
            Self::Mosteller => (height.cm() * weight.kg() / 3600.0).sqrt(),
        }
    }

    /// Name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DuBois => "Du Bois",
            Self::Mosteller => "Mosteller",
        }
    }

    /// Where it is from.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Self::DuBois => "Du Bois and Du Bois 1916, Arch Intern Med 17:863 [recalled]",
            Self::Mosteller => "Mosteller 1987, N Engl J Med 317:1098 [recalled]",
        }
    }
}

/// A patient's body on a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Body {
    /// Height.
    pub height: Length,
    /// Weight.
    pub weight: Mass,
}

impl Body {
    /// Whether there are such adults: 100 to 250 cm, 20 to 400 kg. A slip of the unit (1.72 cm,
    /// 17200 cm, 70000 kg) is outside.
    ///
    /// # Errors
    /// [`DoseError::Value`].
    pub fn check(&self) -> Result<(), DoseError> {
        let within = |what, value: f64, least: f64, most: f64| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(DoseError::value(what, value, format!("{least} to {most}")))
        };
        within("height in cm", self.height.cm(), 100.0, 250.0)?;
        within("weight in kg", self.weight.kg(), 20.0, 400.0)
    }
}

/// Sex, as the formula of creatinine clearance knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
}

/// Creatinine in mg/dL of one in µmol/L: 1 mg/dL is 88.42 µmol/L (113.12 g/mol).
#[must_use]
pub fn creatinine_mg_per_dl(umol_per_l: f64) -> f64 {
    umol_per_l / 88.42
}

/// What creatinine clearance is estimated from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Renal {
    /// Age in years.
    pub age_years: f64,
    /// Sex.
    pub sex: Sex,
    /// Weight, as measured.
    pub weight: Mass,
    /// Creatinine in serum, in mg/dL.
    pub creatinine_mg_per_dl: f64,
}

impl Renal {
    /// Where the formula is from.
    pub const SOURCE: &'static str = "Cockcroft and Gault 1976, Nephron 16:31 [recalled]";

    /// Creatinine clearance in mL/min:
    /// `(140 - age) weight / (72 creatinine)`, times 0.85 for women.
    ///
    /// # Errors
    /// [`DoseError::Value`] for an age outside 18 to 110 years, a weight outside 20 to 400 kg, a
    /// creatinine outside 0.1 to 20 mg/dL: most often a slip of the unit.
    pub fn creatinine_clearance_ml_per_min(&self) -> Result<f64, DoseError> {
        let (kg, creatinine) = (self.weight.kg(), self.creatinine_mg_per_dl);
        if !(18.0..=110.0).contains(&self.age_years) {
            return Err(DoseError::value("age in years", self.age_years, "18 to 110"));
        }
        if !(20.0..=400.0).contains(&kg) {
            return Err(DoseError::value("weight in kg", kg, "20 to 400"));
        }
        if !(0.1..=20.0).contains(&creatinine) {
            let expected = "0.1 to 20 (88.42 µmol/L are 1 mg/dL)";
            return Err(DoseError::value("creatinine in mg/dL", creatinine, expected));
        }
        let men = (140.0 - self.age_years) * kg / (72.0 * creatinine);
        Ok(match self.sex {
            Sex::Male => men,
            Sex::Female => 0.85 * men,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surface(formula: SurfaceFormula, cm: f64, kg: f64) -> f64 {
        formula.body_surface_m2(Length::from_cm(cm), Mass::from_kg(kg))
    }

    #[test]
    fn body_surfaces_of_worked_examples() {
        // 170 cm, 70 kg: 1.81 m² (Du Bois), 1.818 m² (Mosteller).
        assert!((surface(SurfaceFormula::DuBois, 170.0, 70.0) - 1.810).abs() < 5e-4);
        assert!((surface(SurfaceFormula::Mosteller, 170.0, 70.0) - 1.8181).abs() < 5e-5);
        // 180 cm, 80 kg: exactly 2 m² by Mosteller.
        assert_eq!(surface(SurfaceFormula::Mosteller, 180.0, 80.0), 2.0);
        // As published, in cm: 0.007184 H^0.725 W^0.425.
        let published = 0.007184 * 165.0_f64.powf(0.725) * 92.0_f64.powf(0.425);
        assert!((surface(SurfaceFormula::DuBois, 165.0, 92.0) / published - 1.0).abs() < 1e-4);
    }

    #[test]
    fn clearance_of_worked_examples() {
        let renal = |age_years, sex, kg, creatinine_mg_per_dl| {
            Renal { age_years, sex, weight: Mass::from_kg(kg), creatinine_mg_per_dl }
                .creatinine_clearance_ml_per_min()
        };
        assert_eq!(renal(68.0, Sex::Male, 72.0, 1.0).unwrap(), 72.0);
        assert!((renal(68.0, Sex::Female, 72.0, 1.0).unwrap() - 61.2).abs() < 1e-12);
        // 80 µmol/L given as mg/dL is asked back.
        let error = renal(68.0, Sex::Male, 72.0, 80.0).unwrap_err().to_string();
        assert!(error.starts_with("creatinine in mg/dL = 80, expected 0.1 to 20"), "{error}");
        assert!((creatinine_mg_per_dl(88.42) - 1.0).abs() < 1e-12);
        assert!(renal(150.0, Sex::Male, 72.0, 1.0).is_err());
        assert!(renal(f64::NAN, Sex::Male, 72.0, 1.0).is_err());
    }

    #[test]
    fn a_height_in_the_wrong_unit_is_asked_back() {
        let body = Body { height: Length::from_cm(1.72), weight: Mass::from_kg(70.0) };
        let error = body.check().unwrap_err().to_string();
        assert_eq!(error, "height in cm = 1.72, expected 100 to 250");
        let body = Body { height: Length::from_cm(f64::NAN), weight: Mass::from_kg(70.0) };
        assert!(body.check().is_err());
    }
}
