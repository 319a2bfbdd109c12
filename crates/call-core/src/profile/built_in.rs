//! The profiles in `config/profiles`, built in.

use super::Profile;

/// Name and text of each. A test holds the names to those inside, and the first to [`Profile::default`].
const SHIPPED: [(&str, &str); 9] = [
    ("generic-pbx", include_str!("../../../../config/profiles/generic-pbx.toml")),
    ("amazon-connect", include_str!("../../../../config/profiles/amazon-connect.toml")),
    ("avaya", include_str!("../../../../config/profiles/avaya.toml")),
    ("cisco", include_str!("../../../../config/profiles/cisco.toml")),
    ("five9", include_str!("../../../../config/profiles/five9.toml")),
    ("genesys-cloud-byoc", include_str!("../../../../config/profiles/genesys-cloud-byoc.toml")),
    ("microsoft-teams", include_str!("../../../../config/profiles/microsoft-teams.toml")),
    ("nice-cxone", include_str!("../../../../config/profiles/nice-cxone.toml")),
    ("twilio", include_str!("../../../../config/profiles/twilio.toml")),
];

/// The names of the built-in profiles, the default first.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// The built-in profile of that name.
pub fn built_in(name: &str) -> Option<Profile> {
    let (_, text) = SHIPPED.iter().find(|(known, _)| *known == name)?;
    Profile::parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_profile_is_valid_and_named_as_its_file() {
        for (name, text) in SHIPPED {
            let profile = Profile::parse(text).unwrap_or_else(|complaints| panic!("{name}: {complaints:?}"));
            assert_eq!(profile.name, name);
            assert_eq!(built_in(name), Some(profile));
        }
        assert_eq!(built_in("no-such-product"), None);
    }

    #[test]
    fn the_generic_file_says_what_the_default_is() {
        assert_eq!(built_in("generic-pbx"), Some(Profile::default()));
        // It documents every setting, so that it can be copied and changed.
        let keys = "name header discriminator discriminator_in encoding encoding_parameter purpose content layout \
                    max_octets id trigger score url call_info multipart max_header max_headers max_refer_to refer_to \
                    refer_to_scheme refer replaces accept whisper user_phone";
        for key in keys.split_whitespace() {
            let told = SHIPPED[0].1.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{key} =")));
            assert!(told, "{key} is not in generic-pbx.toml");
        }
    }
}
