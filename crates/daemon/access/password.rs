//! Passwords as argon2id hashes: made when one is set, checked when somebody logs in.

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{Output, PasswordHash, PasswordHasher, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use leasehold_routeros::{Fault, Value};

/// A password, of which only the hash is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password(String);

/// A hash that no password has: so that an unknown user takes as long as a known one.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz\
     $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

impl Password {
    /// The hash of nobody's password.
    #[must_use]
    pub fn of_nobody() -> Self {
        Self(NOBODY.into())
    }

    /// The hash, in the PHC format.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.0
    }

    /// Whether it is this one. Takes tens of milliseconds and 19 MiB, on purpose; `memory` is kept
    /// for the next time, because an allocator would keep several times as much.
    #[must_use]
    pub fn is(&self, password: &str, memory: &mut Vec<Block>) -> bool {
        self.compare(password, memory).unwrap_or(false)
    }

    fn compare(&self, password: &str, memory: &mut Vec<Block>) -> Option<bool> {
        let hash = PasswordHash::new(&self.0).ok()?;
        let algorithm = Algorithm::try_from(hash.algorithm).ok()?;
        let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
        let parameters = Params::try_from(&hash).ok()?;
        let (mut salt, mut output) = ([0; 64], [0; Output::MAX_LENGTH]);
        let salt = hash.salt?.decode_b64(&mut salt).ok()?;
        let expected = hash.hash?;
        let output = output.get_mut(..expected.len())?;
        memory.resize(parameters.block_count(), Block::default());
        let argon = Argon2::new(algorithm, version, parameters);
        argon.hash_password_into_with_memory(password.as_bytes(), salt, output, memory).ok()?;
        // In constant time.
        Some(Output::new(output).ok()? == expected)
    }

    /// A hash that takes no time, for tests.
    #[cfg(test)]
    pub(super) fn quick(password: &str) -> String {
        let parameters = Params::new(8, 1, 1, None).unwrap();
        hashed(&Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters), password).unwrap()
    }
}

fn hashed(argon: &Argon2<'_>, password: &str) -> Option<String> {
    let salt = SaltString::generate(&mut OsRng);
    argon.hash_password(password.as_bytes(), &salt).ok().map(|hash| hash.to_string())
}

impl Value for Password {
    const EXAMPLE: &'static str = "correct horse battery staple";

    fn describe() -> String {
        "password".into()
    }

    /// A password, or the hash of one.
    fn parse(text: &str) -> Result<Self, Fault> {
        let is_hash = |hash: PasswordHash<'_>| Algorithm::try_from(hash.algorithm).is_ok();
        if text.starts_with("$argon2") && PasswordHash::new(text).is_ok_and(is_hash) {
            return Ok(Self(text.into()));
        }
        hashed(&Argon2::default(), text).map(Self).ok_or(Fault::Invalid)
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_becomes_a_hash_and_stays_one() {
        let password = Password::parse("secret").unwrap();
        assert!(password.hash().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{password:?}");
        assert_eq!(Password::parse(&password.print()).unwrap(), password);
        let mut memory = Vec::new();
        assert!(password.is("secret", &mut memory) && !password.is("Secret", &mut memory));
        assert!(!password.is("", &mut memory));
        assert_ne!(Password::parse("secret").unwrap(), password, "salted");
    }

    #[test]
    fn nobody_has_no_password() {
        assert!(PasswordHash::new(NOBODY).is_ok(), "it takes as long as a real one");
        assert!(!Password::of_nobody().is("nobody", &mut Vec::new()));
        assert_eq!(Password::parse(NOBODY).unwrap(), Password::of_nobody());
    }
}
