//! Lists and maps: shared, typed, and dropped without recursion.

use std::{
    cell::{Cell, Ref, RefCell, RefMut},
    collections::BTreeMap,
    fmt, mem,
    ops::Deref,
    rc::Rc,
};

use crate::{
    gotype::{ANY_LIST, ANY_MAP, Kind, Type},
    text::Text,
    value::Value,
};

/// The entries of a map, in the order in which Go prints and ranges: by bytes.
pub type Entries = BTreeMap<Text, Value>;

/// A Go slice. It cannot change; functions that append make a new one.
pub struct List {
    ty: Type,
    items: Option<Vec<Value>>,
}

impl List {
    /// A list of type `[]interface {}`.
    pub fn new(items: Vec<Value>) -> Self {
        Self::typed(ANY_LIST, items)
    }

    /// A list of another type; the items must be of its element type.
    pub fn typed(ty: Type, items: Vec<Value>) -> Self {
        debug_assert_eq!(ty.kind(), Kind::Slice);
        Self {
            ty,
            items: Some(items),
        }
    }

    /// Go's nil slice: empty, equal to nil, `null` in JSON.
    pub fn nil(ty: Type) -> Self {
        Self { ty, items: None }
    }

    /// The whole type, e.g. `[]string`.
    pub fn go_type(&self) -> Type {
        self.ty
    }

    /// The type of the elements.
    pub fn element(&self) -> Type {
        self.ty.element().unwrap_or(Type::Any)
    }

    pub fn is_nil(&self) -> bool {
        self.items.is_none()
    }
}

impl Deref for List {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        self.items.as_deref().unwrap_or_default()
    }
}

/// A Go map with string keys. All who hold it see its changes.
pub struct Map {
    ty: Type,
    nil: bool,
    entries: RefCell<Entries>,
    /// The map whose entries these are, when it is one map under two types.
    shared: Option<Rc<Map>>,
}

impl Map {
    /// A map of type `map[string]interface {}`.
    pub fn new(entries: Entries) -> Self {
        Self::typed(ANY_MAP, entries)
    }

    /// A map of another type; the values must be of its element type.
    pub fn typed(ty: Type, entries: Entries) -> Self {
        debug_assert_eq!(ty.kind(), Kind::Map);
        Self {
            ty,
            nil: false,
            entries: RefCell::new(entries),
            shared: None,
        }
    }

    /// The same map under another type: Go converts a map without copying it.
    pub fn converted(self: &Rc<Self>, ty: Type) -> Rc<Self> {
        debug_assert_eq!(ty.kind(), Kind::Map);
        if self.ty == ty {
            return Rc::clone(self);
        }
        Rc::new(Self {
            ty,
            nil: self.nil,
            entries: RefCell::default(),
            shared: Some(Rc::clone(self.shared.as_ref().unwrap_or(self))),
        })
    }

    /// Go's nil map: it reads as empty, writing to it is an error that the writer must raise.
    pub fn nil(ty: Type) -> Self {
        Self {
            ty,
            nil: true,
            entries: RefCell::default(),
            shared: None,
        }
    }

    #[inline]
    fn cell(&self) -> &RefCell<Entries> {
        match &self.shared {
            None => &self.entries,
            Some(map) => &map.entries,
        }
    }

    pub fn go_type(&self) -> Type {
        self.ty
    }

    /// The type of the values.
    pub fn element(&self) -> Type {
        self.ty.element().unwrap_or(Type::Any)
    }

    pub fn is_nil(&self) -> bool {
        self.nil
    }

    pub fn len(&self) -> usize {
        self.cell().borrow().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value under `key`; `None` when there is none.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.cell().borrow().get(key.as_ref()).cloned()
    }

    pub fn contains(&self, key: impl AsRef<[u8]>) -> bool {
        self.cell().borrow().contains_key(key.as_ref())
    }

    /// Sets an entry.
    ///
    /// # Panics
    ///
    /// While a borrow of [`entries`](Self::entries) lives.
    pub fn insert(&self, key: impl Into<Text>, value: Value) -> Option<Value> {
        self.cell().borrow_mut().insert(key.into(), value)
    }

    pub fn remove(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.cell().borrow_mut().remove(key.as_ref())
    }

    /// All entries, to read. Do not call into templates or functions while it lives: they may change the map.
    pub fn entries(&self) -> Ref<'_, Entries> {
        self.cell().borrow()
    }

    /// All entries, to change.
    pub fn entries_mut(&self) -> RefMut<'_, Entries> {
        self.cell().borrow_mut()
    }

    /// A copy of the keys and values, each value shared.
    pub fn snapshot(&self) -> Vec<(Text, Value)> {
        self.cell()
            .borrow()
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ty)?;
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ty)?;
        f.debug_map().entries(self.entries().iter()).finish()
    }
}

/// Containers nested deeper than this are dropped later, from a queue: a template can nest lists
/// far deeper than the stack is.
const DROP_DEPTH: u32 = 64;

thread_local! {
    static DROPPING: Cell<u32> = const { Cell::new(0) };
    static LATER: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
}

fn drop_nested(children: impl Iterator<Item = Value>) {
    // The thread may be ending; then the few values left are dropped the plain way.
    let Ok(depth) = DROPPING.try_with(Cell::get) else {
        return;
    };
    if depth >= DROP_DEPTH {
        let children = children.filter(|child| matches!(child, Value::List(_) | Value::Map(_)));
        if LATER
            .try_with(|later| later.borrow_mut().extend(children))
            .is_ok()
        {
            return;
        }
        return;
    }
    DROPPING.with(|dropping| dropping.set(depth + 1));
    children.for_each(drop);
    if depth == 0 {
        while let Some(value) = LATER.with(|later| later.borrow_mut().pop()) {
            drop(value);
        }
    }
    DROPPING.with(|dropping| dropping.set(depth));
}

impl Drop for List {
    fn drop(&mut self) {
        if self
            .iter()
            .any(|item| matches!(item, Value::List(_) | Value::Map(_)))
        {
            drop_nested(self.items.take().unwrap_or_default().into_iter());
        }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        let entries = self.entries.get_mut();
        if entries
            .values()
            .any(|value| matches!(value, Value::List(_) | Value::Map(_)))
        {
            drop_nested(mem::take(entries).into_values());
        }
    }
}
