//! What can be asked of a broker. Comes in: a number. Goes out: a name, the versions, the layouts. Source: Kafka 4.1.0,
//! `common/message/*.json` of `kafka-clients`; what 4.0 removed as Kafka 3.9 had it.

use std::ops::RangeInclusive;

use super::{layout::Layout, requests, responses};

/// A kind of request.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) key: u16,
    pub(super) name: &'static str,
    /// Versions that the layouts describe.
    pub(super) versions: RangeInclusive<u16>,
    /// Versions from this one on are flexible (KIP-482).
    flexible: u16,
    pub(super) request: Layout,
    pub(super) response: Layout,
}

pub(super) const PRODUCE: u16 = 0;
pub(super) const FETCH: u16 = 1;
const OFFSET_COMMIT: u16 = 8;
pub(super) const API_VERSIONS: u16 = 18;
const TXN_OFFSET_COMMIT: u16 = 28;
pub(super) const SHARE_FETCH: u16 = 78;
const SHARE_ACKNOWLEDGE: u16 = 79;

/// Versions beyond those that we know which a newer program may ask for.
const FUTURE: u16 = 4;

const fn api(
    key: u16,
    name: &'static str,
    versions: RangeInclusive<u16>,
    flexible: u16,
    request: Layout,
    response: Layout,
) -> Api {
    Api { key, name, versions, flexible, request, response }
}

/// All of them, by their keys.
static APIS: &[Api] = &[
    api(0, "Produce", 0..=13, 9, requests::PRODUCE, responses::PRODUCE),
    api(1, "Fetch", 0..=18, 12, requests::FETCH, responses::FETCH),
    api(2, "ListOffsets", 0..=10, 6, requests::LIST_OFFSETS, responses::LIST_OFFSETS),
    api(3, "Metadata", 0..=13, 9, requests::METADATA, responses::METADATA),
    api(4, "LeaderAndIsr", 0..=7, 4, &[], &[]),
    api(5, "StopReplica", 0..=4, 2, &[], &[]),
    api(6, "UpdateMetadata", 0..=8, 6, &[], &[]),
    api(7, "ControlledShutdown", 0..=3, 3, &[], &[]),
    api(8, "OffsetCommit", 0..=10, 8, requests::OFFSET_COMMIT, responses::OFFSET_COMMIT),
    api(9, "OffsetFetch", 0..=10, 6, requests::OFFSET_FETCH, responses::OFFSET_FETCH),
    api(10, "FindCoordinator", 0..=6, 3, &[], responses::FIND_COORDINATOR),
    api(11, "JoinGroup", 0..=9, 6, requests::JOIN_GROUP, responses::JOIN_GROUP),
    api(12, "Heartbeat", 0..=4, 4, requests::HEARTBEAT, responses::HEARTBEAT),
    api(13, "LeaveGroup", 0..=5, 4, requests::LEAVE_GROUP, responses::LEAVE_GROUP),
    api(14, "SyncGroup", 0..=5, 4, requests::SYNC_GROUP, responses::SYNC_GROUP),
    api(15, "DescribeGroups", 0..=6, 5, requests::DESCRIBE_GROUPS, responses::DESCRIBE_GROUPS),
    api(16, "ListGroups", 0..=5, 3, &[], responses::LIST_GROUPS),
    api(17, "SaslHandshake", 0..=1, 255, &[], responses::ERROR),
    api(18, "ApiVersions", 0..=4, 3, &[], responses::ERROR),
    api(19, "CreateTopics", 0..=7, 5, requests::CREATE_TOPICS, responses::CREATE_TOPICS),
    api(20, "DeleteTopics", 0..=6, 4, requests::DELETE_TOPICS, responses::DELETE_TOPICS),
    api(21, "DeleteRecords", 0..=2, 2, requests::DELETE_RECORDS, responses::DELETE_RECORDS),
    api(22, "InitProducerId", 0..=6, 2, &[], responses::WAIT_AND_ERROR),
    api(
        23,
        "OffsetForLeaderEpoch",
        0..=4,
        4,
        requests::OFFSET_FOR_LEADER_EPOCH,
        responses::OFFSET_FOR_LEADER_EPOCH,
    ),
    api(
        24,
        "AddPartitionsToTxn",
        0..=5,
        3,
        requests::ADD_PARTITIONS_TO_TXN,
        responses::ADD_PARTITIONS_TO_TXN,
    ),
    api(25, "AddOffsetsToTxn", 0..=4, 3, requests::ADD_OFFSETS_TO_TXN, responses::WAIT_AND_ERROR),
    api(26, "EndTxn", 0..=5, 3, &[], responses::WAIT_AND_ERROR),
    api(27, "WriteTxnMarkers", 1..=1, 1, &[], &[]),
    api(28, "TxnOffsetCommit", 0..=5, 3, requests::TXN_OFFSET_COMMIT, responses::TXN_OFFSET_COMMIT),
    api(29, "DescribeAcls", 0..=3, 2, &[], responses::WAIT_AND_ERROR),
    api(30, "CreateAcls", 0..=3, 2, &[], responses::CREATE_ACLS),
    api(31, "DeleteAcls", 0..=3, 2, &[], responses::DELETE_ACLS),
    api(32, "DescribeConfigs", 0..=4, 4, &[], responses::DESCRIBE_CONFIGS),
    api(33, "AlterConfigs", 0..=2, 2, &[], responses::ALTER_CONFIGS),
    api(34, "AlterReplicaLogDirs", 1..=2, 2, &[], &[]),
    api(35, "DescribeLogDirs", 1..=4, 2, &[], &[]),
    api(36, "SaslAuthenticate", 0..=2, 2, &[], responses::ERROR),
    api(37, "CreatePartitions", 0..=3, 2, requests::CREATE_PARTITIONS, responses::CREATE_PARTITIONS),
    api(38, "CreateDelegationToken", 0..=3, 2, &[], responses::ERROR),
    api(39, "RenewDelegationToken", 0..=2, 2, &[], responses::ERROR),
    api(40, "ExpireDelegationToken", 0..=2, 2, &[], responses::ERROR),
    api(41, "DescribeDelegationToken", 0..=3, 2, &[], responses::ERROR),
    api(42, "DeleteGroups", 0..=2, 2, requests::DELETE_GROUPS, responses::DELETE_GROUPS),
    api(43, "ElectLeaders", 0..=2, 2, &[], responses::ELECT_LEADERS),
    api(44, "IncrementalAlterConfigs", 0..=1, 1, &[], responses::ALTER_CONFIGS),
    api(45, "AlterPartitionReassignments", 0..=1, 0, &[], &[]),
    api(46, "ListPartitionReassignments", 0..=0, 0, &[], responses::WAIT_AND_ERROR),
    api(47, "OffsetDelete", 0..=0, 255, requests::OFFSET_DELETE, responses::OFFSET_DELETE),
    api(48, "DescribeClientQuotas", 0..=1, 1, &[], responses::WAIT_AND_ERROR),
    api(49, "AlterClientQuotas", 0..=1, 1, &[], responses::ALTER_CLIENT_QUOTAS),
    api(50, "DescribeUserScramCredentials", 0..=0, 0, &[], responses::WAIT_AND_ERROR),
    api(51, "AlterUserScramCredentials", 0..=0, 0, &[], responses::ALTER_USER_SCRAM_CREDENTIALS),
    api(52, "Vote", 0..=2, 0, &[], &[]),
    api(53, "BeginQuorumEpoch", 0..=1, 1, &[], &[]),
    api(54, "EndQuorumEpoch", 0..=1, 1, &[], &[]),
    api(55, "DescribeQuorum", 0..=2, 0, &[], &[]),
    api(56, "AlterPartition", 2..=3, 0, &[], &[]),
    api(57, "UpdateFeatures", 0..=2, 0, &[], responses::WAIT_AND_ERROR),
    api(58, "Envelope", 0..=0, 0, &[], &[]),
    api(59, "FetchSnapshot", 0..=1, 0, &[], &[]),
    api(60, "DescribeCluster", 0..=2, 0, &[], responses::WAIT_AND_ERROR),
    api(61, "DescribeProducers", 0..=0, 0, &[], &[]),
    api(62, "BrokerRegistration", 0..=4, 0, &[], &[]),
    api(63, "BrokerHeartbeat", 0..=1, 0, &[], &[]),
    api(64, "UnregisterBroker", 0..=0, 0, &[], &[]),
    api(65, "DescribeTransactions", 0..=0, 0, &[], &[]),
    api(66, "ListTransactions", 0..=2, 0, &[], responses::WAIT_AND_ERROR),
    api(67, "AllocateProducerIds", 0..=0, 0, &[], &[]),
    api(
        68,
        "ConsumerGroupHeartbeat",
        0..=1,
        0,
        requests::CONSUMER_GROUP_HEARTBEAT,
        responses::WAIT_AND_ERROR,
    ),
    api(69, "ConsumerGroupDescribe", 0..=1, 0, &[], &[]),
    api(70, "ControllerRegistration", 0..=0, 0, &[], &[]),
    api(71, "GetTelemetrySubscriptions", 0..=0, 0, &[], responses::WAIT_AND_ERROR),
    api(72, "PushTelemetry", 0..=0, 0, &[], responses::WAIT_AND_ERROR),
    api(73, "AssignReplicasToDirs", 0..=0, 0, &[], &[]),
    api(74, "ListConfigResources", 0..=1, 0, &[], &[]),
    api(75, "DescribeTopicPartitions", 0..=0, 0, &[], &[]),
    api(76, "ShareGroupHeartbeat", 1..=1, 0, requests::SHARE_GROUP_HEARTBEAT, responses::WAIT_AND_ERROR),
    api(77, "ShareGroupDescribe", 1..=1, 0, &[], &[]),
    api(78, "ShareFetch", 1..=1, 0, requests::SHARE_FETCH, responses::SHARE_FETCH),
    api(79, "ShareAcknowledge", 1..=1, 0, requests::SHARE_ACKNOWLEDGE, responses::SHARE_ACKNOWLEDGE),
    api(80, "AddRaftVoter", 0..=0, 0, &[], &[]),
    api(81, "RemoveRaftVoter", 0..=0, 0, &[], &[]),
    api(82, "UpdateRaftVoter", 0..=0, 0, &[], &[]),
    api(83, "InitializeShareGroupState", 0..=0, 0, &[], &[]),
    api(84, "ReadShareGroupState", 0..=0, 0, &[], &[]),
    api(85, "WriteShareGroupState", 0..=0, 0, &[], &[]),
    api(86, "DeleteShareGroupState", 0..=0, 0, &[], &[]),
    api(87, "ReadShareGroupStateSummary", 0..=0, 0, &[], &[]),
    api(88, "StreamsGroupHeartbeat", 0..=0, 0, &[], &[]),
    api(89, "StreamsGroupDescribe", 0..=0, 0, &[], &[]),
    api(90, "DescribeShareGroupOffsets", 0..=0, 0, &[], &[]),
    api(91, "AlterShareGroupOffsets", 0..=0, 0, &[], &[]),
    api(92, "DeleteShareGroupOffsets", 0..=0, 0, &[], &[]),
];

/// The kind of request with this key, where the version could be one of it.
pub(super) fn find(key: u16, version: u16) -> Option<&'static Api> {
    let place = APIS.binary_search_by_key(&key, |api| api.key).ok()?;
    APIS.get(place).filter(|api| version <= *api.versions.end() + FUTURE)
}

impl Api {
    /// Are lengths variable, and is there room for tagged fields?
    pub(super) const fn is_flexible(&self, version: u16) -> bool {
        version >= self.flexible
    }

    /// Do tagged fields follow the correlation id of a response? Not where a client has yet to learn what the broker
    /// can do (KIP-511).
    pub(super) const fn has_tagged_answer(&self, version: u16) -> bool {
        self.is_flexible(version) && self.key != API_VERSIONS
    }

    /// `messaging.operation.name`, and the operation's type where the conventions have one for it.
    pub(super) const fn operation(&self) -> (&'static str, Option<&'static str>) {
        match self.key {
            PRODUCE => ("send", Some("send")),
            FETCH | SHARE_FETCH => ("poll", Some("receive")),
            OFFSET_COMMIT | TXN_OFFSET_COMMIT => ("commit", Some("settle")),
            SHARE_ACKNOWLEDGE => ("acknowledge", Some("settle")),
            _ => (self.name, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(APIS.is_sorted_by_key(|api| api.key));
        assert!(APIS.iter().all(|api| api.versions.start() <= api.versions.end()));
    }

    #[test]
    fn keys_and_versions_that_nobody_has_are_refused() {
        assert!(find(PRODUCE, 13).is_some() && find(PRODUCE, 17).is_some());
        assert!(find(PRODUCE, 18).is_none() && find(999, 0).is_none());
    }
}
