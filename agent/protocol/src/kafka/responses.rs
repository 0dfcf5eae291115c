//! Layouts of Kafka's responses, by version, as far as something in them is told: Kafka 4.1.0, `common/message/*.json` of
//! `kafka-clients` (fields behind the last one that is told, and tagged ones, are left out); what 4.0 removed as Kafka 3.9 had it.

use super::layout::{Kind, Layout, Scalar::*, always, between, list, one, since, structs, until, whole};

/// Of answers that begin with an error and whose rest is not told: the tokens', and those of the greeting, which a broker
/// that does not know a version answers in the oldest one (KIP-511).
pub(super) const ERROR: Layout = &[always(one(Error))];

/// The same behind a time to wait.
pub(super) const WAIT_AND_ERROR: Layout = &[always(one(Fixed(4))), always(one(Error))];

pub(super) const LIST_GROUPS: Layout = &[since(1, one(Fixed(4))), always(one(Error))];

pub(super) const CREATE_ACLS: Layout =
    &[always(one(Fixed(4))), always(structs(&[always(one(Error)), always(one(Text))]))];

pub(super) const DELETE_ACLS: Layout = &[
    always(one(Fixed(4))),
    always(structs(&[
        always(one(Error)),
        always(one(Text)),
        always(structs(&[
            always(one(Error)),
            always(one(Text)),
            always(one(Fixed(1))),
            always(one(Text)),
            since(1, one(Fixed(1))),
            always(one(Text)),
            always(one(Text)),
            always(one(Fixed(2))),
        ])),
    ])),
];

pub(super) const DESCRIBE_CONFIGS: Layout = &[
    always(one(Fixed(4))),
    always(structs(&[
        always(one(Error)),
        always(one(Text)),
        always(one(Fixed(1))),
        always(one(Text)),
        always(structs(&[
            always(one(Text)),
            always(one(Text)),
            always(one(Fixed(3))),
            since(1, structs(&[always(one(Text)), always(one(Text)), always(one(Fixed(1)))])),
            since(3, one(Fixed(1))),
            since(3, one(Text)),
        ])),
    ])),
];

pub(super) const ALTER_CONFIGS: Layout = &[
    always(one(Fixed(4))),
    always(structs(&[always(one(Error)), always(one(Text)), always(one(Fixed(1))), always(one(Text))])),
];

pub(super) const ELECT_LEADERS: Layout = &[
    always(one(Fixed(4))),
    since(1, one(Error)),
    always(structs(&[
        always(one(Topic)),
        always(structs(&[always(one(Partition)), always(one(Error)), always(one(Text))])),
    ])),
];

pub(super) const ALTER_CLIENT_QUOTAS: Layout = &[
    always(one(Fixed(4))),
    always(structs(&[
        always(one(Error)),
        always(one(Text)),
        always(structs(&[always(one(Text)), always(one(Text))])),
    ])),
];

pub(super) const ALTER_USER_SCRAM_CREDENTIALS: Layout =
    &[always(one(Fixed(4))), always(structs(&[always(one(Text)), always(one(Error)), always(one(Text))]))];

pub(super) const PRODUCE: Layout = &[always(structs(&[
    until(12, one(Topic)),
    since(13, one(TopicId)),
    always(structs(&[
        always(one(Partition)),
        always(one(Error)),
        always(one(Offset)),
        since(2, one(Fixed(8))),
        since(5, one(Fixed(8))),
        since(8, structs(&[since(8, one(Fixed(4))), since(8, one(Text))])),
        since(8, one(Text)),
    ])),
]))];

pub(super) const FETCH: Layout = &[
    since(1, one(Fixed(4))),
    since(7, one(Error)),
    since(7, one(Fixed(4))),
    always(structs(&[
        until(12, one(Topic)),
        since(13, one(TopicId)),
        always(structs(&[
            always(one(Partition)),
            always(one(Error)),
            always(one(Fixed(8))),
            since(4, one(Fixed(8))),
            since(5, one(Fixed(8))),
            since(4, structs(&[always(one(Fixed(16)))])),
            since(11, one(Fixed(4))),
            always(Kind::Records),
        ])),
    ])),
];

pub(super) const LIST_OFFSETS: Layout = &[
    since(2, one(Fixed(4))),
    always(structs(&[
        always(one(Topic)),
        always(structs(&[
            always(one(Partition)),
            always(one(Error)),
            until(0, list(Fixed(8))),
            since(1, one(Fixed(16))),
            since(4, one(Fixed(4))),
        ])),
    ])),
];

pub(super) const METADATA: Layout = &[
    since(3, one(Fixed(4))),
    always(structs(&[always(one(Fixed(4))), always(one(Text)), always(one(Fixed(4))), since(1, one(Text))])),
    since(2, one(Text)),
    since(1, one(Fixed(4))),
    always(structs(&[
        always(one(Error)),
        always(one(Topic)),
        since(10, one(TopicId)),
        since(1, one(Fixed(1))),
        always(structs(&[
            always(one(Error)),
            always(one(Partition)),
            always(one(Fixed(4))),
            since(7, one(Fixed(4))),
            always(list(Fixed(4))),
            always(list(Fixed(4))),
            since(5, list(Fixed(4))),
        ])),
        since(8, one(Fixed(4))),
    ])),
    between(8, 10, one(Fixed(4))),
    since(13, one(Error)),
];

pub(super) const OFFSET_COMMIT: Layout = &[
    since(3, one(Fixed(4))),
    always(structs(&[
        until(9, one(Topic)),
        since(10, one(TopicId)),
        always(structs(&[always(one(Partition)), always(one(Error))])),
    ])),
];

pub(super) const OFFSET_FETCH: Layout = &[
    since(3, one(Fixed(4))),
    until(
        7,
        structs(&[
            until(7, one(Topic)),
            until(
                7,
                structs(&[
                    until(7, one(Partition)),
                    until(7, one(Fixed(8))),
                    between(5, 7, one(Fixed(4))),
                    until(7, one(Text)),
                    until(7, one(Error)),
                ]),
            ),
        ]),
    ),
    between(2, 7, one(Error)),
    since(
        8,
        structs(&[
            since(8, one(Group)),
            since(
                8,
                structs(&[
                    between(8, 9, one(Topic)),
                    since(10, one(TopicId)),
                    since(
                        8,
                        structs(&[
                            since(8, one(Partition)),
                            since(8, one(Fixed(12))),
                            since(8, one(Text)),
                            since(8, one(Error)),
                        ]),
                    ),
                ]),
            ),
            since(8, one(Error)),
        ]),
    ),
];

pub(super) const FIND_COORDINATOR: Layout = &[
    since(1, one(Fixed(4))),
    until(3, one(Error)),
    between(1, 3, one(Text)),
    until(3, one(Fixed(4))),
    until(3, one(Text)),
    until(3, one(Fixed(4))),
    since(
        4,
        structs(&[
            since(4, one(Text)),
            since(4, one(Fixed(4))),
            since(4, one(Text)),
            since(4, one(Fixed(4))),
            since(4, one(Error)),
            since(4, one(Text)),
        ]),
    ),
];

pub(super) const JOIN_GROUP: Layout = &[since(2, one(Fixed(4))), always(one(Error))];

pub(super) const HEARTBEAT: Layout = &[since(1, one(Fixed(4))), always(one(Error))];

pub(super) const LEAVE_GROUP: Layout = &[
    since(1, one(Fixed(4))),
    always(one(Error)),
    since(3, structs(&[since(3, one(Text)), since(3, one(Text)), since(3, one(Error))])),
];

pub(super) const SYNC_GROUP: Layout = &[since(1, one(Fixed(4))), always(one(Error))];

pub(super) const DESCRIBE_GROUPS: Layout = &[
    since(1, one(Fixed(4))),
    always(structs(&[
        always(one(Error)),
        since(6, one(Text)),
        always(one(Group)),
        always(one(Text)),
        always(one(Text)),
        always(one(Text)),
        always(structs(&[
            always(one(Text)),
            since(4, one(Text)),
            always(one(Text)),
            always(one(Text)),
            always(one(Bytes)),
            always(one(Bytes)),
        ])),
        since(3, one(Fixed(4))),
    ])),
];

pub(super) const CREATE_TOPICS: Layout = &[
    since(2, one(Fixed(4))),
    always(structs(&[
        always(one(Topic)),
        since(7, one(TopicId)),
        always(one(Error)),
        since(1, one(Text)),
        since(5, one(Fixed(6))),
        since(5, structs(&[since(5, one(Topic)), since(5, one(Text)), since(5, one(Fixed(3)))])),
    ])),
];

pub(super) const DELETE_TOPICS: Layout = &[
    since(1, one(Fixed(4))),
    always(structs(&[always(one(Topic)), since(6, one(TopicId)), always(one(Error)), since(5, one(Text))])),
];

pub(super) const DELETE_RECORDS: Layout = &[
    always(one(Fixed(4))),
    always(structs(&[
        always(one(Topic)),
        always(structs(&[always(one(Partition)), always(one(Fixed(8))), always(one(Error))])),
    ])),
];

pub(super) const OFFSET_FOR_LEADER_EPOCH: Layout = &[
    since(2, one(Fixed(4))),
    always(structs(&[
        always(one(Topic)),
        always(structs(&[
            always(one(Error)),
            always(one(Partition)),
            since(1, one(Fixed(4))),
            always(one(Fixed(8))),
        ])),
    ])),
];

pub(super) const ADD_PARTITIONS_TO_TXN: Layout = &[
    always(one(Fixed(4))),
    since(4, one(Error)),
    since(
        4,
        structs(&[
            since(4, one(Text)),
            since(
                4,
                structs(&[
                    always(one(Topic)),
                    always(structs(&[always(one(Partition)), always(one(Error))])),
                ]),
            ),
        ]),
    ),
    until(3, structs(&[always(one(Topic)), always(structs(&[always(one(Partition)), always(one(Error))]))])),
];

pub(super) const TXN_OFFSET_COMMIT: Layout = &[
    always(one(Fixed(4))),
    always(structs(&[always(one(Topic)), always(structs(&[always(one(Partition)), always(one(Error))]))])),
];

pub(super) const CREATE_PARTITIONS: Layout =
    &[always(one(Fixed(4))), always(structs(&[always(one(Topic)), always(one(Error)), always(one(Text))]))];

pub(super) const DELETE_GROUPS: Layout =
    &[always(one(Fixed(4))), always(structs(&[always(one(Group)), always(one(Error))]))];

pub(super) const OFFSET_DELETE: Layout = &[
    always(one(Error)),
    always(one(Fixed(4))),
    always(structs(&[always(one(Topic)), always(structs(&[always(one(Partition)), always(one(Error))]))])),
];

pub(super) const SHARE_FETCH: Layout = &[
    always(one(Fixed(4))),
    always(one(Error)),
    always(one(Text)),
    always(one(Fixed(4))),
    always(structs(&[
        always(one(TopicId)),
        always(structs(&[
            always(one(Partition)),
            always(one(Error)),
            always(one(Text)),
            always(one(Fixed(2))),
            always(one(Text)),
            always(whole(&[always(one(Fixed(8)))])),
            always(Kind::Records),
            always(structs(&[always(one(Fixed(18)))])),
        ])),
    ])),
];

pub(super) const SHARE_ACKNOWLEDGE: Layout = &[
    always(one(Fixed(4))),
    always(one(Error)),
    always(one(Text)),
    always(structs(&[
        always(one(TopicId)),
        always(structs(&[
            always(one(Partition)),
            always(one(Error)),
            always(one(Text)),
            always(whole(&[always(one(Fixed(8)))])),
        ])),
    ])),
];
