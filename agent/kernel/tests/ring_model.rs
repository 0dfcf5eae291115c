//! The protocol between the producers of a ring and its reader, as a model small enough to try every interleaving.
//! `ebpf/src/capture/ring.rs` and `agent/kernel/src/ring.rs` take the same steps in the same order; each memory access
//! of theirs is one step here. Two producers run freely: more interleavings than a program that interrupts another can
//! make. Memory is sequentially consistent here; what the real steps need beyond that (a release at the commit, an
//! acquire at the head) stands in those files.

use std::collections::HashSet;

/// Units of a ring; a head may stand at each.
const RING: u8 = 4;
/// Units behind it, for a record that begins before the end and is longer than what is left.
const SLACK: u8 = 2;
/// Sizes, in units, of the records that each producer makes, one after the other. Together they lap the ring.
const RECORDS: [[u8; 2]; 2] = [[3, 1], [2, 3]];

/// A unit of memory: what a head would read there. Payload looks like a committed head on purpose.
type Unit = u8;
const CLEAR: Unit = 0;

/// A commit mark that tells producer and record, so that the reader can check what it reads.
const fn mark(producer: u8, record: u8) -> Unit {
    1 + producer * 2 + record
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Producer {
    /// Loads `reserved`.
    Begin,
    /// Has loaded it; loads `consumed`.
    Reserved(u8),
    /// Has found room; compares and exchanges.
    Room(u8),
    /// Owns the place; writes this unit of the payload next.
    Owns(u8, u8),
    /// The payload stands; commits.
    Written(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Reader {
    /// Loads the head at its position.
    Look,
    /// Has read a whole record of this size; clears this unit next.
    Clears(u8, u8),
    /// All is clear: gives the room back, or goes on and gives more of it later.
    Gives(u8),
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    memory: [Unit; (RING + SLACK) as usize],
    reserved: u8,
    consumed: u8,
    producers: [(Producer, u8); 2],
    reader: (Reader, u8),
    /// Marks in the order in which places were reserved.
    order: Vec<Unit>,
    /// How many of them were read.
    read: usize,
    /// Records that found the ring full.
    lost: u8,
}

impl World {
    fn new() -> Self {
        Self {
            memory: [CLEAR; (RING + SLACK) as usize],
            reserved: 0,
            consumed: 0,
            producers: [(Producer::Begin, 0); 2],
            reader: (Reader::Look, 0),
            order: Vec::new(),
            read: 0,
            lost: 0,
        }
    }

    fn at(&mut self, position: u8, unit: u8) -> &mut Unit {
        &mut self.memory[usize::from(position % RING + unit)]
    }

    /// One step of a producer; `false` where it has made all its records.
    fn produce(&mut self, who: u8) -> bool {
        let (state, record) = self.producers[usize::from(who)];
        let Some(&size) = RECORDS[usize::from(who)].get(usize::from(record)) else { return false };
        self.producers[usize::from(who)] = match state {
            Producer::Begin => (Producer::Reserved(self.reserved), record),
            Producer::Reserved(seen) if seen - self.consumed.min(seen) + size > RING => {
                self.lost += 1;
                (Producer::Begin, record + 1)
            }
            Producer::Reserved(seen) => (Producer::Room(seen), record),
            Producer::Room(seen) if seen == self.reserved => {
                self.reserved += size;
                self.order.push(mark(who, record));
                (Producer::Owns(seen, 1), record)
            }
            Producer::Room(_) => (Producer::Begin, record),
            Producer::Owns(place, unit) if unit < size => {
                *self.at(place, unit) = mark(who, record);
                (Producer::Owns(place, unit + 1), record)
            }
            Producer::Owns(place, _) => (Producer::Written(place), record),
            Producer::Written(place) => {
                assert_eq!(
                    *self.at(place, 0),
                    CLEAR,
                    "a head was not cleared before its place was given back"
                );
                *self.at(place, 0) = mark(who, record);
                (Producer::Begin, record + 1)
            }
        };
        true
    }

    /// One step of the reader; `false` where it has nothing to read.
    fn consume(&mut self) -> bool {
        let (state, position) = self.reader;
        self.reader = match state {
            Reader::Look => {
                let head = *self.at(position, 0);
                if head == CLEAR {
                    // Nothing more: whatever was not given back is now.
                    return std::mem::replace(&mut self.consumed, position) != position;
                }
                let size = self.checked(head, position);
                (Reader::Clears(size, 0), position)
            }
            Reader::Clears(size, unit) if unit < size => {
                // Units in the slack are no places of heads; their doubles are somebody else's.
                *self.at(position, unit) = CLEAR;
                (Reader::Clears(size, unit + 1), position)
            }
            Reader::Clears(size, _) => (Reader::Gives(size), position),
            Reader::Gives(size) => {
                self.consumed = position + size;
                (Reader::Look, position + size)
            }
        };
        true
    }

    /// The reader goes on without giving back what it has read; `false` where it is not about to.
    fn keep(&mut self) -> bool {
        let (Reader::Gives(size), position) = self.reader else { return false };
        self.reader = (Reader::Look, position + size);
        true
    }

    /// The record at `position` is the next one in order, and whole. Gives its size.
    fn checked(&mut self, head: Unit, position: u8) -> u8 {
        assert_eq!(Some(&head), self.order.get(self.read), "lost, repeated, stale or out of order");
        self.read += 1;
        let size = RECORDS[usize::from((head - 1) / 2)][usize::from((head - 1) % 2)];
        for unit in 1..size {
            assert_eq!(*self.at(position, unit), head, "read before it was written");
        }
        size
    }
}

/// Every world that can be reached is visited once; a world in which nobody can move must be whole.
#[test]
fn every_interleaving_gives_every_record_once_whole_and_in_order() {
    let (mut seen, mut open, mut ends) = (HashSet::new(), vec![World::new()], 0);
    while let Some(world) = open.pop() {
        let mut stuck = true;
        for step in [|w: &mut World| w.produce(0), |w: &mut World| w.produce(1), World::consume, World::keep]
        {
            let mut next = world.clone();
            if step(&mut next) {
                stuck = false;
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        if stuck {
            ends += 1;
            assert_eq!(
                world.read + usize::from(world.lost),
                4,
                "a record is neither read nor counted as lost"
            );
            assert_eq!(world.memory[..usize::from(RING)], [CLEAR; RING as usize]);
        }
    }
    assert!(seen.len() > 1000 && ends > 1, "{} worlds, {ends} ends: the model does nothing", seen.len());
}
