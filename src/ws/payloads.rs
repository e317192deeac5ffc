/// What a message is made from. For types with `Text`, made from `&str` and `String`, and `Binary(Bytes)`.
macro_rules! payloads {
    ($Message:ident) => {
        impl From<&str> for $Message {
            fn from(text: &str) -> Self {
                Self::Text(text.into())
            }
        }

        impl From<String> for $Message {
            fn from(text: String) -> Self {
                Self::Text(text.into())
            }
        }

        impl From<bytes::Bytes> for $Message {
            fn from(bytes: bytes::Bytes) -> Self {
                Self::Binary(bytes)
            }
        }

        impl From<Vec<u8>> for $Message {
            fn from(bytes: Vec<u8>) -> Self {
                Self::Binary(bytes.into())
            }
        }

        impl From<&[u8]> for $Message {
            fn from(bytes: &[u8]) -> Self {
                Self::Binary(bytes::Bytes::copy_from_slice(bytes))
            }
        }
    };
}
pub(crate) use payloads;
