//! The manual's list of functions and the functions there are.

const PAGE: &str = include_str!("../../../docs/templates.md");

#[test]
fn the_manual_lists_every_function_and_no_other() {
    let table = PAGE
        .split("## Functions")
        .nth(1)
        .and_then(|rest| rest.split("They are those").next())
        .expect("the table of functions");
    let mut listed: Vec<&str> = table.split('`').skip(1).step_by(2).collect();
    listed.sort_unstable();
    let there: Vec<&str> = trilithon_template::names().collect();
    assert_eq!(listed, there);
}
