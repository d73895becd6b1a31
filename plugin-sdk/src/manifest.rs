//! Builders for what a decoder says about itself.

use crate::{Example, Input, Manifest, Model};

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Manifest {
    /// A manifest without models and words. `name` is stable, lower case, with hyphens; `version` is semantic.
    /// The licence is Apache-2.0 until [`Manifest::license`] says otherwise.
    #[must_use]
    pub fn new(name: &str, vendor: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            vendor: vendor.to_owned(),
            version: version.to_owned(),
            license: "Apache-2.0".to_owned(),
            description: String::new(),
            models: Vec::new(),
            kinds: Vec::new(),
            flags: Vec::new(),
            warnings: Vec::new(),
            examples: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// The SPDX expression of the decoder's licence.
    #[must_use]
    pub fn license(mut self, license: &str) -> Self {
        self.license = license.to_owned();
        self
    }

    /// One sentence for the person who chooses a decoder.
    #[must_use]
    pub fn description(mut self, description: &str) -> Self {
        self.description = description.to_owned();
        self
    }

    /// Adds a device model and the channels on which it speaks; no channels means any.
    #[must_use]
    pub fn model(mut self, name: &str, title: &str, channels: &[&str]) -> Self {
        self.models.push(Model {
            name: name.to_owned(),
            title: title.to_owned(),
            channels: owned(channels),
            variables: Vec::new(),
            extra: Vec::new(),
        });
        self
    }

    /// Names the variables that the model added last needs, such as a bind key. They are set on the device, are kept
    /// sealed, and reach nobody but its decoder.
    #[must_use]
    pub fn model_variables(mut self, names: &[&str]) -> Self {
        if let Some(model) = self.models.last_mut() {
            model.variables = owned(names);
        }
        self
    }

    /// Every kind that the decoder may say.
    #[must_use]
    pub fn kinds(mut self, kinds: &[&str]) -> Self {
        self.kinds = owned(kinds);
        self
    }

    /// Every flag that the decoder may say.
    #[must_use]
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.flags = owned(flags);
        self
    }

    /// Every warning that the decoder may say.
    #[must_use]
    pub fn warnings(mut self, warnings: &[&str]) -> Self {
        self.warnings = owned(warnings);
        self
    }

    /// Adds an example whose payload is one frame of JSON, as [`Manifest::example`].
    #[must_use]
    pub fn json_example(self, model: &str, shows: &str, json: &str, outcome: &str, values: &[&str]) -> Self {
        let mut input = Input::new(model, "", json);
        "application/json".clone_into(&mut input.content_type);
        self.example(&format!("{model}: {shows}"), input, outcome, values)
    }

    /// Adds an example: what `input` must come to (`readings`, `incomplete`, `nothing` or `error`), and the values,
    /// one line each, as [`value_lines`](crate::value_lines) writes them.
    #[must_use]
    pub fn example(mut self, name: &str, input: Input, outcome: &str, values: &[&str]) -> Self {
        self.examples.push(Example {
            name: name.to_owned(),
            input,
            outcome: outcome.to_owned(),
            values: owned(values),
            extra: Vec::new(),
        });
        self
    }
}
