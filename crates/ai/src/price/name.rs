//! The names that a model goes by: with a vendor before it, with the date of a version behind it.

use std::borrow::Cow;

/// Names to look a model up by, the most exact first, in lower case. A name is never cut to a mere beginning of it:
/// `gpt-4o-audio` is not `gpt-4o`.
pub(super) fn candidates(model: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let whole = lower(model);
    let bare = model.rsplit('/').next().filter(|bare| bare.len() < model.len());
    let version = |name| without_version(name).map(lower);
    [
        Some(whole),
        version(model),
        bare.map(lower),
        bare.and_then(version),
    ]
    .into_iter()
    .flatten()
}

fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// The name without `-latest`, `-2024-08-06`, `-20250929` or `@20250929`.
fn without_version(name: &str) -> Option<&str> {
    let name_only = |cut: usize| name.get(..cut).filter(|rest| !rest.is_empty());
    if name.ends_with("-latest") {
        return name_only(name.len() - "-latest".len());
    }
    let digits = |text: &str, n: usize| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
    if let Some((rest, day)) = name.rsplit_once(['-', '@'])
        && digits(day, 8)
    {
        return name_only(rest.len());
    }
    let (rest, day) = name.rsplit_once('-')?;
    let (rest, month) = rest.rsplit_once('-')?;
    let (rest, year) = rest.rsplit_once('-')?;
    let is_date = digits(day, 2) && digits(month, 2) && digits(year, 4);
    is_date.then(|| name_only(rest.len())).flatten()
}
