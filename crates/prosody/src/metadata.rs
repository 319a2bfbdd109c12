//! What a model says about itself: the `metadata_props` of the ONNX file, or an adapter beside it.

use crate::calibration::Calibration;
use std::collections::BTreeMap;

/// Version of the contract this crate speaks (`models/CONTRACT.md`).
pub const CONTRACT: &str = "1";

/// What a model says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// The model's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The sets it was trained on, with their licences.
    pub training_sets: String,
    /// Licence of the weights.
    pub licence: String,
    /// What the anger logit means in false alarms.
    pub calibration: Calibration,
    /// Outputs for the golden input: emotion 0-5, anger, arousal, speech ratio. An adapter may have none.
    pub golden: Option<[f32; 9]>,
}

impl Metadata {
    /// Reads and checks the `metadata_props` of an ONNX file.
    ///
    /// # Errors
    /// Says what is wrong or missing, in words for the person who supplied the file.
    pub fn of_props(props: &BTreeMap<String, String>) -> Result<Self, String> {
        let get = |key: &str| {
            let found = props.get(&format!("warmline.{key}")).map(String::as_str);
            found.ok_or_else(|| format!("the metadata lacks warmline.{key}"))
        };
        let expect = |key: &str, wanted: &str| match get(key)? {
            value if value == wanted => Ok(()),
            value => Err(format!("warmline.{key} is {value:?}, this program needs {wanted:?}")),
        };
        expect("contract", CONTRACT)?;
        expect("sample_rate", "8000")?;
        expect("window_frames", "150")?;
        expect("hop_frames", "50")?;
        expect("classes", "neutral,happy,sad,angry,fear,disgust")?;
        Ok(Self {
            name: get("name")?.into(),
            version: get("version")?.into(),
            training_sets: get("training_sets")?.into(),
            licence: get("licence")?.into(),
            calibration: Calibration::parse(get("calibration")?)?,
            golden: Some(numbers(get("golden_output")?)?),
        })
    }
}

fn numbers(text: &str) -> Result<[f32; 9], String> {
    let values: Vec<f32> = text.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    values.try_into().map_err(|_| "warmline.golden_output must be nine numbers separated by commas".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_onnx_file_is_told_what_it_lacks() {
        let foreign = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        assert_eq!(Metadata::of_props(&foreign), Err("the metadata lacks warmline.contract".into()));
    }
}
