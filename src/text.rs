//! What a string in shared bytes can do, written once for both kinds of it.
//!
//! The two differ in what they wrap: each protocol's text comes out of its decoder already checked, as that decoder's
//! own type, and none can be made into the other without a second look at every byte.

/// Everything that a string owes its readers. The type has `as_str`, and its field is made from `&str` and `String`.
macro_rules! impl_text {
    ($Text:ident) => {
        impl std::ops::Deref for $Text {
            type Target = str;

            fn deref(&self) -> &str {
                self.as_str()
            }
        }

        impl AsRef<str> for $Text {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl AsRef<[u8]> for $Text {
            fn as_ref(&self) -> &[u8] {
                self.as_str().as_bytes()
            }
        }

        impl std::borrow::Borrow<str> for $Text {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl From<&str> for $Text {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $Text {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<$Text> for String {
            fn from(text: $Text) -> Self {
                text.as_str().to_owned()
            }
        }

        impl From<$Text> for bytes::Bytes {
            fn from(text: $Text) -> Self {
                text.into_bytes()
            }
        }

        impl PartialEq<str> for $Text {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $Text {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl PartialEq<String> for $Text {
            fn eq(&self, other: &String) -> bool {
                self.as_str() == other
            }
        }

        impl std::fmt::Debug for $Text {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl std::fmt::Display for $Text {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self.as_str(), f)
            }
        }
    };
}

pub(crate) use impl_text;
