//! The controllers' picture of one kind of object.
//!
//! A watch tells late. A controller that has just created three pods and looks at
//! a picture without them would create three more. So the answers to own writes
//! go into the picture too ([`Cache::wrote`], [`Cache::deleted`]), and the
//! server's one order of changes decides which of two states is the later one.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use crate::{Key, Object};

/// All objects of one kind, by namespace and name.
#[derive(Debug)]
pub struct Cache<T> {
    objects: BTreeMap<Key, Arc<T>>,
    /// The latest change that the watch has told of.
    watched: u64,
    /// Objects that are known to be gone before the watch said so, by uid.
    gone: HashMap<String, Arc<T>>,
    /// The objects of a list that is still coming in.
    listing: Option<HashSet<Key>>,
    listed: bool,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), watched: 0, gone: HashMap::new(), listing: None, listed: false }
    }
}

/// What a watch's message changed.
#[derive(Debug)]
pub struct Change<T> {
    pub old: Option<Arc<T>>,
    pub new: Option<Arc<T>>,
}

impl<T: Object> Cache<T> {
    /// Whether the first list is complete; before that a missing object means nothing.
    pub fn is_listed(&self) -> bool {
        self.listed
    }

    pub fn get(&self, key: &Key) -> Option<Arc<T>> {
        self.objects.get(key).cloned()
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<T>> {
        self.objects.values()
    }

    pub fn in_namespace<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Arc<T>> {
        let first = Key::new(namespace, "");
        self.objects.range(first..).take_while(move |(key, _)| key.namespace == namespace).map(|(_, object)| object)
    }

    /// The watch starts over with a list.
    pub fn list_begins(&mut self) {
        self.listing = Some(HashSet::new());
    }

    /// The list is complete: what it did not name is gone.
    pub fn list_ends(&mut self) -> Vec<Change<T>> {
        let named = self.listing.take().unwrap_or_default();
        self.listed = true;
        let lost: Vec<Key> = self.objects.keys().filter(|key| !named.contains(*key)).cloned().collect();
        let mut lost: Vec<Arc<T>> = lost.iter().filter_map(|key| self.objects.remove(key)).collect();
        lost.extend(self.gone.drain().map(|(_, object)| object));
        lost.into_iter().map(|object| Change { old: Some(object), new: None }).collect()
    }

    /// The watch saw this object.
    pub fn saw(&mut self, object: T) -> Option<Change<T>> {
        let key = object.meta().key();
        if let Some(listing) = &mut self.listing {
            listing.insert(key.clone());
        }
        let revision = object.meta().revision();
        self.watched = self.watched.max(revision);
        if self.gone.contains_key(&object.meta().uid) {
            return None;
        }
        let old = self.objects.get(&key).cloned();
        // An equal revision is passed on: whoever waits for the watch's word gets it.
        if old.as_ref().is_some_and(|old| old.meta().revision() > revision) {
            return None;
        }
        let new = Arc::new(object);
        self.objects.insert(key, Arc::clone(&new));
        Some(Change { old, new: Some(new) })
    }

    /// The watch saw the end of this object. It is told also when the end was known before:
    /// whoever follows the changes did not know.
    pub fn saw_end(&mut self, object: T) -> Change<T> {
        let meta = object.meta();
        self.watched = self.watched.max(meta.revision());
        let gone = self.gone.remove(&meta.uid);
        let key = meta.key();
        let same = self.objects.get(&key).is_some_and(|known| known.meta().uid == meta.uid);
        let known = same.then(|| self.objects.remove(&key)).flatten();
        Change { old: Some(known.or(gone).unwrap_or_else(|| Arc::new(object))), new: None }
    }

    /// The server answered an own write with this object.
    pub fn wrote(&mut self, object: T) {
        let revision = object.meta().revision();
        // What the watch has told up to here already includes this write, or the end of the object.
        if revision <= self.watched || self.gone.contains_key(&object.meta().uid) {
            return;
        }
        let key = object.meta().key();
        if self.objects.get(&key).is_none_or(|known| known.meta().revision() < revision) {
            self.objects.insert(key, Arc::new(object));
        }
    }

    /// Replaces an object by what it is about to become, until the watch tells.
    pub fn assume(&mut self, object: T) {
        let key = object.meta().key();
        if self.objects.get(&key).is_some_and(|known| known.meta().revision() == object.meta().revision()) {
            self.objects.insert(key, Arc::new(object));
        }
    }

    /// The server answered that this object is gone.
    pub fn deleted(&mut self, key: &Key, uid: &str) {
        if self.objects.get(key).is_some_and(|known| known.meta().uid == uid) {
            let object = self.objects.remove(key);
            self.gone.extend(object.map(|object| (uid.to_owned(), object)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Meta;

    #[derive(Debug)]
    struct Thing(Meta);

    impl Object for Thing {
        fn meta(&self) -> &Meta {
            &self.0
        }
    }

    #[test]
    fn own_writes_are_seen_before_the_watch_tells() {
        check("wrote a 5", "a5");
        check("wrote a 5, saw a 4", "a5");
        check("wrote a 5, saw a 6", "a6");
    }

    #[test]
    fn late_answers_do_not_raise_the_dead() {
        check("saw a 5, end a 7, wrote a 5", "");
        check("saw a 5, deleted a, saw a 6", "");
        check("saw a 5, deleted a, end a 7, saw a 8", "a8");
    }

    #[test]
    fn what_a_new_list_leaves_out_is_gone() {
        check("saw a 1, saw b 2, list, saw b 2, done", "b2");
    }

    #[track_caller]
    fn check(story: &str, expected: &str) {
        let mut cache = Cache::default();
        for event in story.split(", ") {
            let words: Vec<&str> = event.split(' ').collect();
            let thing = || {
                Thing(Meta {
                    name: words[1].to_owned(),
                    uid: words[1].to_owned(),
                    resource_version: words.get(2).copied().unwrap_or_default().to_owned(),
                    ..Meta::default()
                })
            };
            match words[0] {
                "saw" => drop(cache.saw(thing())),
                "end" => drop(cache.saw_end(thing())),
                "wrote" => cache.wrote(thing()),
                "deleted" => cache.deleted(&Key::new("", words[1]), words[1]),
                "list" => cache.list_begins(),
                _ => drop(cache.list_ends()),
            }
        }
        let held: Vec<String> = cache.all().map(|it| format!("{}{}", it.0.name, it.0.resource_version)).collect();
        assert_eq!(held.join(" "), expected);
    }
}
