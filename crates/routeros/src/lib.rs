//! RouterOS menus, values, verbs, queries and their syntaxes: text and bytes only, no I/O.
#![forbid(unsafe_code)]
