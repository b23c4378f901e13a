//! No syntax knows a menu.

use std::fs;
use std::path::Path;

use leasehold_dhcp::menus;

#[test]
fn no_syntax_names_a_menu() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../routeros/src");
    let mut folders = vec![root];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the crate has sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in lines {
                let named = menus::menus().into_iter().find(|menu| line.contains(menu.path));
                assert!(named.is_none(), "{}: {line}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 30, "only {seen} files were found");
}
