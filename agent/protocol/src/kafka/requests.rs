//! Layouts of Kafka's requests, by version, as far as something in them is told: Kafka 4.1.0, `common/message/*.json` of
//! `kafka-clients` (fields behind the last one that is told, and tagged ones, are left out); what 4.0 removed as Kafka 3.9 had it.

use super::layout::{Kind, Layout, Scalar::*, always, between, list, one, since, structs, until};

pub(super) const PRODUCE: Layout = &[
    since(3, one(Text)),
    always(one(Acks)),
    always(one(Fixed(4))),
    always(structs(&[
        until(12, one(Topic)),
        since(13, one(TopicId)),
        always(structs(&[always(one(Partition)), always(Kind::Records)])),
    ])),
];

pub(super) const FETCH: Layout = &[
    until(14, one(Fixed(4))),
    always(one(Fixed(8))),
    since(3, one(Fixed(4))),
    since(4, one(Fixed(1))),
    since(7, one(Fixed(8))),
    always(structs(&[
        until(12, one(Topic)),
        since(13, one(TopicId)),
        always(structs(&[
            always(one(Partition)),
            since(9, one(Fixed(4))),
            always(one(Fixed(8))),
            since(12, one(Fixed(4))),
            since(5, one(Fixed(8))),
            always(one(Fixed(4))),
        ])),
    ])),
    since(7, structs(&[between(7, 12, one(Topic)), since(13, one(TopicId)), since(7, list(Partition))])),
];

pub(super) const LIST_OFFSETS: Layout = &[
    always(one(Fixed(4))),
    since(2, one(Fixed(1))),
    always(structs(&[
        always(one(Topic)),
        always(structs(&[
            always(one(Partition)),
            since(4, one(Fixed(4))),
            always(one(Fixed(8))),
            until(0, one(Fixed(4))),
        ])),
    ])),
];

pub(super) const METADATA: Layout = &[always(structs(&[since(10, one(TopicId)), always(one(Topic))]))];

pub(super) const OFFSET_COMMIT: Layout = &[
    always(one(Group)),
    since(1, one(Fixed(4))),
    since(1, one(Text)),
    since(7, one(Text)),
    between(2, 4, one(Fixed(8))),
    always(structs(&[
        until(9, one(Topic)),
        since(10, one(TopicId)),
        always(structs(&[
            always(one(Partition)),
            always(one(Fixed(8))),
            between(1, 1, one(Fixed(8))),
            since(6, one(Fixed(4))),
            always(one(Text)),
        ])),
    ])),
];

pub(super) const OFFSET_FETCH: Layout = &[
    until(7, one(Group)),
    until(7, structs(&[until(7, one(Topic)), until(7, list(Partition))])),
    since(
        8,
        structs(&[
            since(8, one(Group)),
            since(9, one(Text)),
            since(9, one(Fixed(4))),
            since(
                8,
                structs(&[between(8, 9, one(Topic)), since(10, one(TopicId)), since(8, list(Partition))]),
            ),
        ]),
    ),
];

pub(super) const JOIN_GROUP: Layout = &[always(one(Group))];

pub(super) const HEARTBEAT: Layout = &[always(one(Group))];

pub(super) const LEAVE_GROUP: Layout = &[always(one(Group))];

pub(super) const SYNC_GROUP: Layout = &[always(one(Group))];

pub(super) const DESCRIBE_GROUPS: Layout = &[always(list(Group))];

pub(super) const CREATE_TOPICS: Layout = &[always(structs(&[
    always(one(Topic)),
    always(one(Fixed(6))),
    always(structs(&[always(one(Partition)), always(list(Fixed(4)))])),
    always(structs(&[always(one(Topic)), always(one(Text))])),
]))];

pub(super) const DELETE_TOPICS: Layout =
    &[since(6, structs(&[since(6, one(Topic)), since(6, one(TopicId))])), until(5, list(Topic))];

pub(super) const DELETE_RECORDS: Layout = &[always(structs(&[
    always(one(Topic)),
    always(structs(&[always(one(Partition)), always(one(Fixed(8)))])),
]))];

pub(super) const OFFSET_FOR_LEADER_EPOCH: Layout = &[
    since(3, one(Fixed(4))),
    always(structs(&[
        always(one(Topic)),
        always(structs(&[always(one(Partition)), since(2, one(Fixed(4))), always(one(Fixed(4)))])),
    ])),
];

pub(super) const ADD_PARTITIONS_TO_TXN: Layout = &[
    since(
        4,
        structs(&[
            since(4, one(Text)),
            since(4, one(Fixed(11))),
            since(4, structs(&[always(one(Topic)), always(list(Partition))])),
        ]),
    ),
    until(3, one(Text)),
    until(3, one(Fixed(10))),
    until(3, structs(&[always(one(Topic)), always(list(Partition))])),
];

pub(super) const ADD_OFFSETS_TO_TXN: Layout =
    &[always(one(Text)), always(one(Fixed(10))), always(one(Group))];

pub(super) const TXN_OFFSET_COMMIT: Layout = &[
    always(one(Text)),
    always(one(Group)),
    always(one(Fixed(10))),
    since(3, one(Fixed(4))),
    since(3, one(Text)),
    since(3, one(Text)),
    always(structs(&[
        always(one(Topic)),
        always(structs(&[
            always(one(Partition)),
            always(one(Fixed(8))),
            since(2, one(Fixed(4))),
            always(one(Text)),
        ])),
    ])),
];

pub(super) const CREATE_PARTITIONS: Layout = &[always(structs(&[
    always(one(Topic)),
    always(one(Fixed(4))),
    always(structs(&[always(list(Fixed(4)))])),
]))];

pub(super) const DELETE_GROUPS: Layout = &[always(list(Group))];

pub(super) const OFFSET_DELETE: Layout =
    &[always(one(Group)), always(structs(&[always(one(Topic)), always(structs(&[always(one(Partition))]))]))];

pub(super) const CONSUMER_GROUP_HEARTBEAT: Layout = &[
    always(one(Group)),
    always(one(Text)),
    always(one(Fixed(4))),
    always(one(Text)),
    always(one(Text)),
    always(one(Fixed(4))),
    always(list(Topic)),
    since(1, one(Text)),
    always(one(Text)),
    always(structs(&[always(one(TopicId)), always(list(Partition))])),
];

pub(super) const SHARE_GROUP_HEARTBEAT: Layout =
    &[always(one(Group)), always(one(Text)), always(one(Fixed(4))), always(one(Text)), always(list(Topic))];

pub(super) const SHARE_FETCH: Layout = &[
    always(one(Group)),
    always(one(Text)),
    always(one(Fixed(24))),
    always(structs(&[
        always(one(TopicId)),
        always(structs(&[
            always(one(Partition)),
            always(structs(&[always(one(Fixed(16))), always(list(Fixed(1)))])),
        ])),
    ])),
    always(structs(&[always(one(TopicId)), always(list(Partition))])),
];

pub(super) const SHARE_ACKNOWLEDGE: Layout = &[
    always(one(Group)),
    always(one(Text)),
    always(one(Fixed(4))),
    always(structs(&[
        always(one(TopicId)),
        always(structs(&[
            always(one(Partition)),
            always(structs(&[always(one(Fixed(16))), always(list(Fixed(1)))])),
        ])),
    ])),
];
