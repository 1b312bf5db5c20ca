//! Passwords: argon2id (RFC 9106) in the form of PHC strings.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::RngCore;

/// Fewest characters of a password.
pub const SHORTEST: usize = 8;
/// Most bytes of a password: hashing a film would be work for nothing.
pub const LONGEST: usize = 1024;
/// Memory of a hash of ours, in KiB; with [`PASSES`] the least that OWASP advises.
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over that memory.
const PASSES: u32 = 2;
/// Most memory of a hash that is accepted, in KiB: what a file asks for is paid by the service.
const MOST_MEMORY_KIB: u32 = 256 * 1024;
/// Most passes, likewise.
const MOST_PASSES: u32 = 16;

/// A hash of random bytes that nobody kept, with the parameters of ours.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LW5vYm9keQ$pDSOTwQk0hO1rTVSj1jKkZrhSrWZkNRX2ZuDbOKMkVE";

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
pub enum PasswordProblem {
    /// Too easy to guess.
    #[error("the password is shorter than {SHORTEST} characters")]
    Short,
    /// No password.
    #[error("the password is longer than {LONGEST} bytes")]
    Long,
    /// Nobody could type it, or Basic cannot carry it.
    #[error("the password has control characters in it")]
    Control,
    /// The library refuses.
    #[error("the password cannot be hashed: {0}")]
    Hash(argon2::password_hash::Error),
}

/// Whether it may become somebody's password.
///
/// # Errors
/// What is wrong with it.
pub fn check(password: &str) -> Result<(), PasswordProblem> {
    if password.chars().any(char::is_control) {
        return Err(PasswordProblem::Control);
    }
    if password.chars().count() < SHORTEST {
        return Err(PasswordProblem::Short);
    }
    if password.len() > LONGEST { Err(PasswordProblem::Long) } else { Ok(()) }
}

/// The hash of a new password, with a salt of its own. Takes some ten milliseconds and 19 MiB.
///
/// # Errors
/// The password is refused by [`check`].
pub fn hash(password: &str) -> Result<String, PasswordProblem> {
    check(password)?;
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    let salt = SaltString::encode_b64(&bytes).map_err(PasswordProblem::Hash)?;
    let hashed = hasher().and_then(|argon2| Ok(argon2.hash_password(password.as_bytes(), &salt)?.to_string()));
    hashed.map_err(PasswordProblem::Hash)
}

/// Whether a text is a hash that [`verify`] accepts.
pub fn is_hash(text: &str) -> bool {
    let Ok(hash) = PasswordHash::new(text) else { return false };
    let Ok(params) = Params::try_from(&hash) else { return false };
    hash.algorithm == Algorithm::Argon2id.ident()
        && hash.hash.is_some()
        && hash.salt.is_some()
        && params.m_cost() <= MOST_MEMORY_KIB
        && params.t_cost() <= MOST_PASSES
}

/// Whether `password` is that of `hash`. Takes as long as [`hash`].
pub fn verify(password: &str, hash: &str) -> bool {
    let parsed = PasswordHash::new(hash);
    password.len() <= LONGEST
        && parsed.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Takes as long as [`verify`]: for users that do not exist.
pub fn verify_nobody(password: &str) {
    let _never = verify(password, NOBODY);
}

fn hasher() -> Result<Argon2<'static>, argon2::password_hash::Error> {
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(MEMORY_KIB, PASSES, 1, None)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_password_alone_fits_its_hash() {
        let made = hash("correct horse").unwrap();
        assert!(made.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{made}");
        assert!(is_hash(&made) && verify("correct horse", &made));
        for wrong in ["", "correct hors", "correct horse ", "Correct horse"] {
            assert!(!verify(wrong, &made), "{wrong}");
        }
        assert_ne!(made, hash("correct horse").unwrap(), "a salt of its own");
    }

    #[test]
    fn what_is_no_hash_of_ours_is_known() {
        let made = hash("correct horse").unwrap();
        assert!(!is_hash("") && !is_hash("correct horse") && !is_hash(&made.replace("argon2id", "argon2i")));
        assert!(!is_hash(&made.replace("m=19456", "m=4000000")) && !is_hash(&made.replace("t=2", "t=999")));
        assert!(!is_hash(&made[..made.len() / 2]));
    }

    #[test]
    fn short_long_and_odd_passwords_are_refused() {
        assert!(matches!(check("1234567"), Err(PasswordProblem::Short)));
        assert!(matches!(check(&"x".repeat(1025)), Err(PasswordProblem::Long)));
        assert!(matches!(check("12345678\u{7}"), Err(PasswordProblem::Control)));
        assert!(check("ßßßßßßßß").is_ok() && check(&"x".repeat(1024)).is_ok());
    }

    #[test]
    fn unknown_users_cost_as_much_as_known_ones() {
        // The same parameters: the same work. And it is a hash, or there would be no work at all.
        let made = hash("correct horse").unwrap();
        let parameters = |text: &str| text.split('$').take(4).collect::<Vec<_>>().join("$");
        assert!(is_hash(NOBODY));
        assert_eq!(parameters(NOBODY), parameters(&made));
    }
}
