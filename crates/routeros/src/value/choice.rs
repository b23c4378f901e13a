//! Closed sets of words, alone (`yes`, `no`, `accounting`) or beside other values (`static-only`,
//! or the name of a pool).

/// Declares a value that is one of some words, `or` a value of another type.
///
/// ```
/// use leasehold_routeros::value::{Seconds, Value};
///
/// leasehold_routeros::choice! {
///     /// How long to wait.
///     pub enum Delay {
///         /// Not at all.
///         None = "none",
///     } or {
///         /// This long.
///         Time(Seconds<1, { u32::MAX }>),
///     }
/// }
/// assert_eq!(Delay::parse("90"), Ok(Delay::Time(Seconds::new(90).unwrap())));
/// assert_eq!(Delay::None.print(), "none");
/// ```
#[macro_export]
macro_rules! choice {
    (
        $(#[$about:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$word_doc:meta])* $word:ident = $text:literal, )*
        } $( or {
            $( $(#[$open_doc:meta])* $open:ident($type:ty), )+
        } )?
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis enum $name {
            $( $(#[$word_doc])* $word, )*
            $( $( $(#[$open_doc])* $open($type), )+ )?
        }

        impl $crate::value::Value for $name {
            const KIND: $crate::value::Kind = {
                let kinds: &[$crate::value::Kind] = &[
                    $( $( <$type as $crate::value::Value>::KIND, )+ )?
                    $crate::value::Kind::Word,
                ];
                kinds[0]
            };
            const WORDS: &'static [&'static str] = &[ $( $text, )* ];
            const TARGET: Option<$crate::value::MenuOf> = {
                let targets: &[Option<$crate::value::MenuOf>] = &[
                    $( $( <$type as $crate::value::Value>::TARGET, )+ )?
                ];
                $crate::value::choice::first(targets)
            };
            const EXAMPLE: &'static str = {
                let examples: &[&'static str] = &[
                    $( $text, )*
                    $( $( <$type as $crate::value::Value>::EXAMPLE, )+ )?
                ];
                examples[0]
            };

            fn describe() -> String {
                let mut ways: Vec<String> = vec![ $( concat!("`", $text, "`").into(), )* ];
                $( $( ways.push(<$type as $crate::value::Value>::describe()); )+ )?
                ways.join(" or ")
            }

            fn parse(text: &str) -> Result<Self, $crate::Fault> {
                $( if text == $text { return Ok(Self::$word); } )*
                #[allow(unused_assignments, unused_mut)]
                let mut fault = $crate::Fault::NoMatch;
                $( $(
                    match <$type as $crate::value::Value>::parse(text) {
                        Ok(value) => return Ok(Self::$open(value)),
                        Err(why) => fault = why,
                    }
                )+ )?
                Err(fault)
            }

            fn print(&self) -> String {
                match self {
                    $( Self::$word => $text.into(), )*
                    $( $( Self::$open(value) => $crate::value::Value::print(value), )+ )?
                }
            }

            fn relink(&mut self, visit: $crate::value::Relink<'_>) {
                let _ = &visit;
                match self {
                    $( Self::$word => {} )*
                    $( $( Self::$open(value) => $crate::value::Value::relink(value, visit), )+ )?
                }
            }
        }
    };
}

use super::MenuOf;

/// The first target there is. For [`choice!`](crate::choice!) alone.
#[doc(hidden)]
#[must_use]
pub const fn first(targets: &[Option<MenuOf>]) -> Option<MenuOf> {
    let mut at = 0;
    while at < targets.len() {
        if targets[at].is_some() {
            return targets[at];
        }
        at += 1;
    }
    None
}
