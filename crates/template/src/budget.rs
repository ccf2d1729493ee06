//! What is left of the limits while a template is rendered.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::error::{Fault, Result};
use crate::limits::{Limits, MAX_VALUE_DEPTH};
use crate::value::{Dict, Elem, List, Value};

/// Steps between two looks at the clock.
const CLOCK_EVERY: u64 = 1024;

/// The limits of one rendering, counted down; every function takes what it makes from here.
pub(crate) struct Budget {
    deadline: Instant,
    steps: Cell<u64>,
    memory: Cell<usize>,
    /// Every dict made on the way. Dicts can be changed, so they can hold each other; they are emptied at the end, one after
    /// the other, so that none is left and none is dropped through another.
    dicts: RefCell<Vec<Rc<Dict>>>,
}

impl Budget {
    pub fn new(limits: &Limits) -> Self {
        Self {
            deadline: Instant::now() + limits.time,
            steps: Cell::new(limits.steps),
            memory: Cell::new(limits.memory),
            dicts: RefCell::default(),
        }
    }

    /// Takes steps.
    pub fn step(&self, count: usize) -> Result<()> {
        let before = self.steps.get();
        let left = before
            .checked_sub(count as u64)
            .ok_or_else(|| Fault::limit("takes too many steps"))?;
        self.steps.set(left);
        if left / CLOCK_EVERY == before / CLOCK_EVERY {
            return Ok(());
        }
        self.clock()
    }

    /// Fails when the time is up.
    pub fn clock(&self) -> Result<()> {
        if Instant::now() < self.deadline {
            Ok(())
        } else {
            Err(Fault::limit("takes too long"))
        }
    }

    /// Time that is left.
    pub fn left(&self) -> std::time::Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Takes bytes; asked before something is made whose size is known.
    pub fn charge(&self, bytes: usize) -> Result<()> {
        let left = self
            .memory
            .get()
            .checked_sub(bytes)
            .ok_or_else(|| Fault::limit("takes too much memory"))?;
        self.memory.set(left);
        Ok(())
    }

    /// A text that a function made.
    pub fn text(&self, text: impl Into<Arc<str>>) -> Result<Value> {
        let text = text.into();
        self.charge(text.len())?;
        Ok(Value::Str(text))
    }

    /// A list of anything.
    pub fn list(&self, items: Vec<Value>) -> Result<Value> {
        self.list_of(Elem::Any, items)
    }

    /// A list whose elements have one type in Go.
    pub fn list_of(&self, elem: Elem, items: Vec<Value>) -> Result<Value> {
        self.step(items.len())?;
        self.charge(items.len() * size_of::<Value>() + size_of::<List>())?;
        let list = List::new(elem, items);
        if list.depth() > MAX_VALUE_DEPTH {
            return Err(Fault::limit("makes a list that is nested too deep"));
        }
        Ok(Value::List(Rc::new(list)))
    }

    /// A list of texts.
    pub fn texts<S: Into<Arc<str>>>(&self, texts: impl IntoIterator<Item = S>) -> Result<Value> {
        let mut items = Vec::new();
        for text in texts {
            self.step(1)?;
            items.push(self.text(text)?);
        }
        self.list_of(Elem::Str, items)
    }

    /// A dict of anything.
    pub fn dict(&self, entries: BTreeMap<Arc<str>, Value>) -> Result<Value> {
        self.dict_of(Elem::Any, entries)
    }

    /// A dict whose values have one type in Go.
    pub fn dict_of(&self, elem: Elem, entries: BTreeMap<Arc<str>, Value>) -> Result<Value> {
        self.step(entries.len())?;
        self.charge(entries.len() * 2 * size_of::<Value>() + size_of::<Dict>())?;
        let dict = Rc::new(Dict::new(elem, entries));
        self.dicts.borrow_mut().push(dict.clone());
        Ok(Value::Dict(dict))
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        let dicts = self.dicts.take();
        for dict in &dicts {
            dict.empty();
        }
    }
}
