//! The three tables at the head of a study: its claims, its parameters, the columns of its rows.

/// The claim sheet of a study: a [`Statement`] on each line.
macro_rules! sheet {
    ($($name:ident = $basis:ident($source:expr, $sentence:expr);)*) => {
        $(const $name: $crate::study::Statement = $crate::study::Statement {
            sentence: std::borrow::Cow::Borrowed($sentence),
            source: $source,
            basis: $crate::study::Basis::$basis,
        };)*
    };
}

/// The parameters of a study: a line for each, with its help above, the word for its value in help
/// and more of clap's attributes behind.
macro_rules! parameters {
    ($study:ident: $(
        $(#[$help:meta])*
        $name:ident: $type:ty = $default:expr, $value:literal $(, $key:ident = $more:expr)*;
    )*) => {
        /// Parameters of the study.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, clap::Args)]
        #[serde(default, deny_unknown_fields)]
        pub struct $study {
            $($(#[$help])* #[arg(long, value_name = $value $(, $key = $more)*)] pub $name: $type,)*
        }

        impl Default for $study {
            fn default() -> Self {
                Self { $($name: $default),* }
            }
        }
    };
}

/// The row that a cell leaves in the table: a line for each column, with its type and meaning.
macro_rules! columns {
    ($row:ident: $($name:ident: $type:ty, $meaning:literal;)*) => {
        /// The row of a cell.
        #[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
        // A table from before a column was added has none of it.
        #[serde(default)]
        pub struct $row {
            $(#[doc = $meaning] pub $name: $type,)*
        }

        impl $row {
            /// The columns with their meanings.
            pub const MEANINGS: &'static [(&'static str, &'static str)] = &[$((stringify!($name), $meaning)),*];
        }
    };
}

pub(super) use {columns, parameters, sheet};
