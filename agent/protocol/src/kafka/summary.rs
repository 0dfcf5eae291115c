//! What is told of a message. Comes in: fields, as a layout finds them. Goes out: topics, partitions, records, errors.
//! Refuses: more than one name of each kind; several are counted.

use smol_str::SmolStr;

use super::{layout::Listener, records::Records, topics::TopicId};
use crate::attributes;

/// A topic, by its name or by its id alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Name(SmolStr),
    Id(TopicId),
}

/// What a message tells.
#[derive(Debug, Default)]
pub(super) struct Summary {
    max_text: usize,
    /// The first topic, and how many others there are.
    pub(super) topic: Option<Topic>,
    pub(super) other_topics: u32,
    /// The first partition, and how many there are.
    pub(super) partition: Option<u32>,
    pub(super) partitions: u32,
    pub(super) group: Option<SmolStr>,
    pub(super) acks: Option<i16>,
    /// The first error.
    pub(super) error: i16,
    pub(super) offset: Option<i64>,
    pub(super) records: Records,
    /// Topics of which name and id stand together.
    pub(super) named: Vec<(TopicId, SmolStr)>,
    /// A name or id whose other half may follow.
    half: Option<Topic>,
}

/// Topics of one message whose ids are learned.
const MAX_NAMED: usize = 256;

impl Summary {
    pub(super) fn new(max_text: usize) -> Self {
        Self { max_text, ..Self::default() }
    }

    /// The one topic that is told.
    pub(super) const fn only_topic(&self) -> Option<&Topic> {
        match &self.topic {
            Some(topic) if self.other_topics == 0 => Some(topic),
            _ => None,
        }
    }

    fn found(&mut self, topic: Topic) {
        match &self.topic {
            None => self.topic = Some(topic),
            Some(first) if *first != topic => self.other_topics += 1,
            Some(_) => {}
        }
    }
}

impl Listener for Summary {
    fn topic(&mut self, name: &[u8]) {
        if name.is_empty() {
            return;
        }
        let name = SmolStr::from(attributes::text(name, self.max_text));
        if let Some(Topic::Id(id)) = self.half.take() {
            if self.topic == Some(Topic::Id(id)) {
                self.topic = Some(Topic::Name(name.clone()));
            }
            if self.named.len() < MAX_NAMED {
                self.named.push((id, name));
            }
            return;
        }
        self.half = Some(Topic::Name(name.clone()));
        self.found(Topic::Name(name));
    }

    fn topic_id(&mut self, id: TopicId) {
        let half = self.half.take();
        if id == [0; 16] {
            return;
        }
        match half {
            Some(Topic::Name(name)) if self.named.len() < MAX_NAMED => self.named.push((id, name)),
            Some(Topic::Name(_)) => {}
            _ => {
                self.half = Some(Topic::Id(id));
                self.found(Topic::Id(id));
            }
        }
    }

    fn partition(&mut self, index: u32) {
        self.half = None;
        self.partition.get_or_insert(index);
        self.partitions += 1;
    }

    fn error(&mut self, code: i16) {
        self.half = None;
        if self.error == 0 {
            self.error = code;
        }
    }

    fn group(&mut self, name: &[u8]) {
        if !name.is_empty() && self.group.is_none() {
            self.group = Some(attributes::text(name, self.max_text).into());
        }
    }

    fn acks(&mut self, acks: i16) {
        self.acks = Some(acks);
    }

    fn offset(&mut self, offset: i64) {
        self.offset.get_or_insert(offset);
    }

    fn records(&mut self, bytes: &[u8], length: usize) {
        self.records.read(bytes, length);
    }
}
