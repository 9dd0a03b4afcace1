/// Every metric that a node exposes. The table in docs is compared with this list by a test.
///
/// Labels are bounded: routes are templates, codes and results come from closed sets; never a key,
/// an address or an id, but that of a store. What a unit owns it adds to a `Scrape` under one of
/// these names.

extension Metric {
    package static let all: [Metric] =
        process + http + operations + raft + peers + storage + engine

    // MARK: Build and process

    package static let buildInfo = Metric(
        "martlet_build_info", .info, labels: ["version", "revision", "swift_version"],
        help: "What runs here; always 1.")
    package static let processStartTime = Metric(
        "process_start_time_seconds", .gauge, unit: .seconds,
        help: "When the process started, in seconds since 1970-01-01 UTC.")
    package static let processCPU = Metric(
        "process_cpu_seconds_total", .counter, unit: .seconds,
        help: "User and system CPU time spent.")
    package static let processResidentMemory = Metric(
        "process_resident_memory_bytes", .gauge, unit: .bytes, help: "Resident memory.")
    package static let processOpenFiles = Metric(
        "process_open_fds", .gauge, help: "Open file descriptors.")
    package static let processMaxFiles = Metric(
        "process_max_fds", .gauge, help: "Most file descriptors the process may open.")

    private static let process = [
        buildInfo, processStartTime, processCPU, processResidentMemory, processOpenFiles,
        processMaxFiles,
    ]

    // MARK: HTTP

    package static let httpConnections = Metric(
        "martlet_http_connections", .gauge, help: "Connections open now.")
    package static let httpConnectionsOpened = Metric(
        "martlet_http_connections_opened_total", .counter, labels: ["transport"],
        help: "Connections accepted, in cleartext and over TLS.")
    package static let httpConnectionsRefused = Metric(
        "martlet_http_connections_refused_total", .counter,
        help: "Connections closed at once because too many were open, or the node was stopping.")
    package static let httpConnectionsPaused = Metric(
        "martlet_http_connections_paused", .gauge,
        help: "Connections not read from now: their answers are not taken, or memory is short.")
    package static let httpPauses = Metric(
        "martlet_http_pauses_total", .counter,
        help: "Times that reading from a connection was stopped for back-pressure.")
    package static let httpConnectionsClosed = Metric(
        "martlet_http_connections_closed_total", .counter, labels: ["reason"],
        help: "Connections that ended, by what ended them.")
    package static let httpFloods = Metric(
        "martlet_http_floods_total", .counter, labels: ["kind"],
        help: "Connections cut off because they used up their budget, by what took its rest.")
    package static let httpTimeouts = Metric(
        "martlet_http_timeouts_total", .counter, labels: ["kind"],
        help: "Connections and streams that took too long, by what they were doing.")
    package static let httpMessages = Metric(
        "martlet_http_messages_total", .counter, labels: ["protocol"],
        help: "Requests received whole, by protocol.")
    package static let httpRefused = Metric(
        "martlet_http_requests_refused_total", .counter,
        help: "Requests answered before any route saw them: malformed, over a limit, foreign.")
    package static let httpResets = Metric(
        "martlet_http_streams_reset_total", .counter, labels: ["by"],
        help: "HTTP/2 streams that were reset, by either side.")
    package static let httpBytes = Metric(
        "martlet_http_transferred_bytes_total", .counter, unit: .bytes, labels: ["direction"],
        help: "Bytes received and sent on all connections, without TLS.")
    package static let httpHeld = Metric(
        "martlet_http_held_bytes", .gauge, unit: .bytes, labels: ["of"],
        help: "Bytes of request and response bodies in memory.")
    package static let httpShed = Metric(
        "martlet_http_answers_shed_total", .counter,
        help: "Answers replaced by 429 because too many bytes were waiting to be sent.")
    package static let httpRequests = Metric(
        "martlet_http_requests_total", .counter, labels: ["route", "method", "code"],
        help: "Requests answered, by route template, method and status.")
    package static let httpRequestDuration = Metric(
        "martlet_http_request_duration_seconds", .histogram(.requestDuration), unit: .seconds,
        labels: ["route", "method"],
        help: "From a request's last byte to its answer handed to the connection.")
    package static let httpRequestsInFlight = Metric(
        "martlet_http_requests_in_flight", .gauge, help: "Requests received and not yet answered.")
    package static let httpRequestSize = Metric(
        "martlet_http_request_size_bytes", .histogram(.size), unit: .bytes,
        help: "Bytes of request bodies.")
    package static let httpResponseSize = Metric(
        "martlet_http_response_size_bytes", .histogram(.size), unit: .bytes,
        help: "Bytes of response bodies.")

    package static let requestsCancelled = Metric(
        "martlet_http_requests_cancelled_total", .counter,
        help: "Requests whose client left before the answer.")

    package static let certificateExpiry = Metric(
        "martlet_certificate_expiry_timestamp_seconds", .gauge, unit: .seconds, labels: ["use"],
        help: "When the certificate in use ends, in seconds since 1970-01-01 UTC.")

    private static let http = [
        httpConnections, httpConnectionsOpened, httpConnectionsRefused, httpConnectionsPaused,
        httpPauses, httpConnectionsClosed,
        httpFloods, httpTimeouts, httpMessages, httpRefused, httpResets, httpBytes, httpHeld,
        httpShed, httpRequests, httpRequestDuration, httpRequestsInFlight, httpRequestSize,
        httpResponseSize, requestsCancelled, certificateExpiry,
    ]

    // MARK: Operations on keys

    package static let operationsDone = Metric(
        "martlet_kv_operations_total", .counter, labels: ["space", "op", "result"],
        help: "Operations on keys, each one of a batch counted, by key space, kind and result.")
    package static let errors = Metric(
        "martlet_errors_total", .counter, labels: ["code"],
        help: "Problem answers, by their stable code.")

    package static let failpointsSet = Metric(
        "martlet_failpoints_enabled", .gauge, help: "Failpoints that are set; 0 in production.")

    private static let operations = [operationsDone, errors, failpointsSet]

    // MARK: Raft

    package static let groups = Metric(
        "martlet_raft_regions", .gauge, labels: ["role"],
        help: "Raft groups with a replica here, by its role.")
    package static let leadsOffered = Metric(
        "martlet_raft_leads_offered_total", .counter,
        help: "Times that the lead was offered to another store for want of space here.")
    package static let appendsWithoutRoom = Metric(
        "martlet_raft_appends_without_room_total", .counter,
        help: "Messages with entries of other stores that were dropped for want of space here.")
    package static let leaderChanges = Metric(
        "martlet_raft_leader_changes_total", .counter,
        help: "Times that a replica here learnt of another leader, or of none.")
    package static let proposalDuration = Metric(
        "martlet_raft_proposal_duration_seconds", .histogram(.syncDuration), unit: .seconds,
        help: "From an entry's proposal until it was applied here.")
    package static let commitDuration = Metric(
        "martlet_raft_commit_duration_seconds", .histogram(.syncDuration), unit: .seconds,
        help: "From an entry's proposal here until a majority had it on disk.")
    package static let raftTerm = Metric(
        "martlet_raft_term", .gauge, help: "The highest term of the replicas here.")
    package static let logLag = Metric(
        "martlet_raft_log_lag_entries", .gauge, labels: ["store"],
        help: "Entries that a store is not known to have on disk, as the leader here sees it.")
    package static let raftReads = Metric(
        "martlet_raft_reads_total", .counter, labels: ["mode"],
        help: "Requests of reads carried out here, by how they were known to be fresh enough.")
    package static let staleReadsRefused = Metric(
        "martlet_raft_stale_reads_refused_total", .counter,
        help: "Stale reads refused because the data may have been older than they allow.")
    package static let leaderWaits = Metric(
        "martlet_leader_waits_total", .counter,
        help: "Times that commands waited because no store was known to lead.")
    package static let forwarded = Metric(
        "martlet_forwarded_requests_total", .counter, labels: ["result"],
        help: "Runs of commands that were sent to another store, by what came of them.")
    package static let proposalWrites = Metric(
        "martlet_raft_proposal_writes", .histogram(.count),
        help: "Writes that came in one turn and became one log entry.")
    package static let applyDuration = Metric(
        "martlet_raft_apply_duration_seconds", .histogram(.syncDuration), unit: .seconds,
        help: "Time to write one batch of committed entries to the data, without a sync.")
    package static let logEntries = Metric(
        "martlet_raft_log_entries", .gauge,
        help: "Entries kept in logs: not yet on disk as data, or lacked by a follower.")
    package static let unappliedEntries = Metric(
        "martlet_raft_unapplied_entries", .gauge,
        help: "Entries in logs that are not yet applied here.")

    private static let raft = [
        groups, raftTerm, leaderChanges, leadsOffered, appendsWithoutRoom, proposalDuration,
        commitDuration, proposalWrites, applyDuration, logEntries, unappliedEntries, logLag,
        raftReads, staleReadsRefused, leaderWaits, forwarded,
    ]

    // MARK: Other stores

    package static let peerConnections = Metric(
        "martlet_peer_connections", .gauge, help: "Connections to other stores that are open.")
    package static let peerStreams = Metric(
        "martlet_peer_streams", .gauge, help: "Streams of other stores that are open here.")
    package static let peerBytes = Metric(
        "martlet_peer_transferred_bytes_total", .counter, unit: .bytes, labels: ["direction"],
        help: "Bytes between this store and others, before TLS.")
    package static let peerLost = Metric(
        "martlet_peer_lost_total", .counter, labels: ["kind", "reason"],
        help: "What was not sent to another store, by what it was and why.")
    package static let peerConnectionEvents = Metric(
        "martlet_peer_connection_events_total", .counter, labels: ["event"],
        help: "What became of connections to other stores.")
    package static let peerRefused = Metric(
        "martlet_peer_refused_total", .counter, labels: ["reason"],
        help: "Streams of other stores that this one refused or ended.")

    package static let snapshots = Metric(
        "martlet_snapshots_total", .counter, labels: ["event"],
        help: "What became of snapshots that this store sent and received.")
    package static let snapshotBytes = Metric(
        "martlet_snapshot_transferred_bytes_total", .counter, unit: .bytes, labels: ["direction"],
        help: "Bytes of snapshots between this store and others.")
    package static let snapshotDuration = Metric(
        "martlet_snapshot_send_duration_seconds", .histogram(.requestDuration), unit: .seconds,
        help: "Time from the wish to send a snapshot until all of it is at the other store.")

    package static let snapshotPause = Metric(
        "martlet_snapshot_throttled_seconds_total", .counter, unit: .seconds,
        help: "Time for which the limit on what is sent held back chunks of snapshots.")

    private static let peers = [
        peerConnections, peerStreams, peerBytes, peerLost, peerConnectionEvents, peerRefused,
        snapshots, snapshotBytes, snapshotDuration, snapshotPause,
    ]

    // MARK: Storage

    package static let syncDuration = Metric(
        "martlet_wal_fsync_duration_seconds", .histogram(.syncDuration), unit: .seconds,
        help: "Time to write one batch to the log and sync it to disk.")
    package static let syncedEntries = Metric(
        "martlet_wal_fsync_entries", .histogram(.count),
        help: "Log entries that shared one sync.")
    package static let unsyncedBytes = Metric(
        "martlet_store_unsynced_bytes", .gauge, unit: .bytes,
        help: "Bytes of writes on their way into the log and the data, and not yet answered.")
    package static let diskCapacity = Metric(
        "martlet_store_disk_capacity_bytes", .gauge, unit: .bytes,
        help: "Size of the file system that holds the data directory.")
    package static let diskAvailable = Metric(
        "martlet_store_disk_available_bytes", .gauge, unit: .bytes,
        help: "Space left on the file system that holds the data directory.")

    package static let diskFull = Metric(
        "martlet_store_disk_full", .gauge,
        help: "1 while writes are refused because too little space is left.")
    package static let coldReads = Metric(
        "martlet_store_cold_reads_total", .counter,
        help: "Point reads and short scans that memory could not answer.")
    package static let readsWaiting = Metric(
        "martlet_store_reads_waiting", .gauge,
        help: "Reads handed to a reader thread and not yet answered.")
    package static let latchWaits = Metric(
        "martlet_store_latch_waits_total", .counter,
        help: "Writes that had to wait for another write of their key.")

    package static let writesWaiting = Metric(
        "martlet_store_writes_waiting", .gauge,
        help: "Writes that wait for another write of their key, or for a range delete.")

    package static let writeFailures = Metric(
        "martlet_store_write_failures_total", .counter, labels: ["reason"],
        help: "Batches that could not be written, by what stood in the way.")
    package static let readErrors = Metric(
        "martlet_store_read_errors_total", .counter,
        help: "Reads that the store could not answer: a device failed, or bytes are corrupt.")
    package static let overloaded = Metric(
        "martlet_overloaded_total", .counter, labels: ["resource"],
        help: "Commands refused because a bounded queue was full, by the queue.")
    package static let failedSpaceLooks = Metric(
        "martlet_store_space_look_failures_total", .counter,
        help: "Looks at the free space of the data directory that failed.")

    private static let storage = [
        writeFailures, readErrors, overloaded, failedSpaceLooks,
        syncDuration, syncedEntries, unsyncedBytes, diskCapacity, diskAvailable, diskFull,
        coldReads, readsWaiting, latchWaits, writesWaiting,
    ]

    // MARK: The engine under the storage

    package static let memtables = Metric(
        "martlet_engine_memtable_bytes", .gauge, unit: .bytes, labels: ["family"],
        help: "Bytes in memtables, those being written out included.")
    package static let tableBytes = Metric(
        "martlet_engine_table_bytes", .gauge, unit: .bytes, labels: ["family"],
        help: "Bytes of live table files.")
    package static let tables = Metric(
        "martlet_engine_tables", .gauge, labels: ["family", "level"],
        help: "Live table files on each level.")
    package static let keysEstimate = Metric(
        "martlet_engine_keys_estimate", .gauge, labels: ["family"],
        help: "Keys by the engine's own estimate; overwritten and expired ones may count.")
    package static let compactionDebt = Metric(
        "martlet_engine_compaction_pending_bytes", .gauge, unit: .bytes, labels: ["family"],
        help: "Bytes that compactions have yet to rewrite.")
    package static let engineJobs = Metric(
        "martlet_engine_jobs", .gauge, labels: ["kind"],
        help: "Flushes and compactions that run now.")
    package static let blockCache = Metric(
        "martlet_engine_block_cache_bytes", .gauge, unit: .bytes,
        help: "Bytes in the block cache.")
    package static let blockCacheCapacity = Metric(
        "martlet_engine_block_cache_capacity_bytes", .gauge, unit: .bytes,
        help: "Bytes that the block cache may hold.")
    package static let memoryBound = Metric(
        "martlet_engine_memory_bound_bytes", .gauge, unit: .bytes,
        help: "Resident memory that the store stays below, as configured.")
    package static let tableReaders = Metric(
        "martlet_engine_table_reader_bytes", .gauge, unit: .bytes,
        help: "Bytes that open tables hold outside of the block cache.")
    package static let views = Metric(
        "martlet_engine_views", .gauge,
        help: "Snapshots held open; each keeps old versions from being dropped.")
    package static let backgroundErrors = Metric(
        "martlet_engine_background_errors_total", .counter,
        help: "Flushes and compactions that failed.")
    package static let writesStopped = Metric(
        "martlet_engine_writes_stopped", .gauge,
        help: "1 while writes wait for a flush or a compaction.")
    package static let writeStall = Metric(
        "martlet_engine_write_stall_seconds_total", .counter, unit: .seconds,
        help: "Time that writes waited for flushes and compactions.")

    private static let engine = [
        memtables, tableBytes, tables, keysEstimate, compactionDebt, engineJobs, blockCache,
        blockCacheCapacity, memoryBound, tableReaders, views, backgroundErrors, writesStopped,
        writeStall,
    ]
}
