//! JSON with names in its texts.

use super::{Missing, Mistake, Names, Root, Template};
use serde_json::{Map, Value};

/// Levels of lists and objects.
const MAX_DEPTH: usize = 16;

/// A compiled JSON template.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A number, a truth value, null.
    Fixed(Value),
    Text(Template),
    List(Vec<Shape>),
    Object(Vec<(String, Shape)>),
}

impl Shape {
    /// Reads a JSON template. Names stand in its texts, not in the names of members.
    ///
    /// # Errors
    /// A text that is no template; lists and objects that are too deep.
    pub fn parse(value: &Value, roots: &[Root], names: &mut Names) -> Result<Shape, Mistake> {
        Shape::below(value, roots, names, MAX_DEPTH)
    }

    fn below(value: &Value, roots: &[Root], names: &mut Names, depth: usize) -> Result<Shape, Mistake> {
        if depth == 0 {
            return Err(Mistake {
                text: String::new(),
                at: 0,
                message: format!("lists and objects are deeper than {MAX_DEPTH}"),
            });
        }
        let mut one = |value: &Value| Shape::below(value, roots, names, depth - 1);
        Ok(match value {
            Value::String(text) => Shape::Text(Template::parse(text, roots, names)?),
            Value::Array(items) => Shape::List(items.iter().map(one).collect::<Result<_, _>>()?),
            Value::Object(members) => {
                let member = |(name, value): (&String, &Value)| Ok((name.clone(), one(value)?));
                Shape::Object(members.iter().map(member).collect::<Result<_, _>>()?)
            }
            fixed => Shape::Fixed(fixed.clone()),
        })
    }

    /// The JSON.
    ///
    /// # Errors
    /// A name without a value.
    pub fn json(&self, names: &Names, values: &[Option<Value>]) -> Result<Value, Missing> {
        Ok(match self {
            Shape::Fixed(value) => value.clone(),
            Shape::Text(template) => template.json(names, values)?,
            Shape::List(items) => {
                let items = items.iter().map(|item| item.json(names, values));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Shape::Object(members) => {
                let one = |(name, shape): &(String, Shape)| Ok((name.clone(), shape.json(names, values)?));
                Value::Object(members.iter().map(one).collect::<Result<Map<_, _>, _>>()?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_with_names() {
        let mut names = Names::default();
        let template =
            json!({"id": "${result.id}", "why": ["undone", 1, null, {"of": "order ${arguments.name}"}]});
        let shape = Shape::parse(&template, Root::OF_TOOLS, &mut names).expect("a template");
        let values = vec![Some(json!(7)), Some(json!("a"))];
        let want = json!({"id": 7, "why": ["undone", 1, null, {"of": "order a"}]});
        assert_eq!(shape.json(&names, &values), Ok(want));
        let missing = shape.json(&names, &[None, None]).map_err(|e| e.to_string());
        assert_eq!(missing, Err("there is no `result.id`".to_owned()));
    }

    #[test]
    fn too_deep() {
        let mut value = json!(1);
        for _ in 0..MAX_DEPTH {
            value = json!([value]);
        }
        assert!(Shape::parse(&value, Root::OF_TOOLS, &mut Names::default()).is_err());
    }
}
