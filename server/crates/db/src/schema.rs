//! Generated from a migrated database by `afferent migrate --print-schema`; `make check` fails when it is stale.
#![allow(missing_docs, clippy::doc_markdown)]

diesel::table! {
    /// Periods in which a device, hub, feed or app was active, from the first day: billing rests on them.
    activation (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        source_kind -> Text,
        source_id -> Uuid,
        active_from -> Timestamptz,
        active_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// Bearer tokens of scripts and systems. Only a SHA-256 of the token's 256 random bits is kept.
    api_token (id) {
        id -> Uuid,
        token_hash -> Bytea,
        role -> Text,
        tenant_id -> Nullable<Uuid>,
        name -> Text,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        /// Of a vendor's token: whose decoders it may touch.
        vendor_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    /// An app on one phone. Its name, zone, activity and devices are those of its row in hub.
    app_installation (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        /// What the app says it is.
        app_name -> Nullable<Text>,
        app_version -> Nullable<Text>,
        platform -> Nullable<Text>,
        /// Whose phone it is, as staff noted it. Never decides whose a reading is: assignments of devices do.
        patient_id -> Nullable<Text>,
        /// When it last showed its token, to the minute.
        last_seen_at -> Nullable<Timestamptz>,
        /// When it was cut off for good.
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// Codes by which a phone becomes an installation: short-lived, for one phone, made by staff.
    app_pairing (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        /// HMAC-SHA-256 of the code under the server's key; gone when the code is used or cancelled.
        code_hash -> Nullable<Bytea>,
        name -> Nullable<Text>,
        patient_id -> Nullable<Text>,
        time_zone -> Nullable<Text>,
        /// Who made it.
        token_id -> Uuid,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        cancelled_at -> Nullable<Timestamptz>,
        redeemed_at -> Nullable<Timestamptz>,
        installation_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    /// Who wore a device when: half-open periods that cannot overlap for one device and slot.
    assignment (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        device_id -> Uuid,
        /// User slot of a shared device; empty is the device's only wearer.
        slot -> Text,
        patient_id -> Text,
        worn_from -> Timestamptz,
        worn_until -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        /// The id that identifiers of its readings are made with, where it is not its own: that of the assignment it was split from, so that a reading keeps its identifier.
        identity_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    /// Assignments as they were before a reassignment shortened, split or replaced them; append-only.
    assignment_history (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        assignment_id -> Uuid,
        device_id -> Uuid,
        slot -> Text,
        patient_id -> Text,
        worn_from -> Timestamptz,
        worn_until -> Nullable<Timestamptz>,
        reassignment_id -> Uuid,
        replaced_at -> Timestamptz,
    }
}

diesel::table! {
    /// Interned sets of codings. Free text of a CodeableConcept is never interned: it may be about a person.
    concept (id) {
        id -> BigInt,
        /// SHA-256 over the sorted (system, code) pairs, length-prefixed.
        digest -> Bytea,
    }
}

diesel::table! {
    /// The codings of a concept: a token search resolves to concept ids here, then uses = ANY on the resource.
    concept_coding (concept_id, system, code) {
        concept_id -> BigInt,
        system -> Text,
        code -> Text,
    }
}

diesel::table! {
    /// Keys that raw bytes are sealed with, each sealed by the server's secret_key. The newest that is not retired seals; all of them open.
    data_key (id) {
        id -> Integer,
        sealed -> Bytea,
        created_at -> Timestamptz,
        /// Nothing new is sealed with it since then; a server that has not noticed yet may for a minute longer.
        retired_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// Every decoder version that this installation has ever loaded.
    decoder (name, version) {
        name -> Text,
        version -> Text,
        content_hash -> Text,
        origin -> Text,
        vendor -> Text,
        license -> Text,
        description -> Text,
        loaded_at -> Timestamptz,
    }
}

diesel::table! {
    /// What still has to reach an endpoint: one row an endpoint and resource, born in the ingest transaction, deleted when done. A newer version raises version, so that stale ones merge.
    delivery (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        endpoint_id -> Uuid,
        resource_type -> Text,
        resource_id -> Text,
        version -> Integer,
        /// Hash of the patient: order is kept within a lane, and a lane has at most one request in flight.
        lane -> SmallInt,
        state -> Text,
        attempts -> Integer,
        /// An earlier attempt may have been stored over there: search before the next create.
        ambiguous -> Bool,
        next_attempt_at -> Timestamptz,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        last_status -> Nullable<Integer>,
        last_reason -> Nullable<Text>,
        last_outcome -> Nullable<Text>,
    }
}

diesel::table! {
    /// Finished deliveries, partitioned by day.
    delivery_log (tenant_id, id, finished_at) {
        tenant_id -> Uuid,
        id -> Uuid,
        finished_at -> Timestamptz,
        endpoint_id -> Uuid,
        resource_type -> Text,
        resource_id -> Text,
        version -> Integer,
        attempts -> Integer,
        created_at -> Timestamptz,
        outcome -> Text,
        location -> Nullable<Text>,
    }
}

diesel::table! {
    /// The enrolment of a unit with one tenant for a period. Its FHIR Device has the same id.
    device (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        unit_id -> Uuid,
        model -> Text,
        serial -> Text,
        identifiers -> Jsonb,
        /// The decoder's variables (bind keys …), sealed by the server's key; JSON object of strings inside.
        variables_sealed -> Nullable<Bytea>,
        variables_version -> Integer,
        time_zone -> Nullable<Text>,
        active -> Bool,
        enrolled_from -> Timestamptz,
        enrolled_until -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// How far each device's clock is behind ours, measured on live readings; written when it changes, not with every uplink.
    device_clock (tenant_id, device_id) {
        tenant_id -> Uuid,
        device_id -> Uuid,
        /// Server time minus device time: what is added to the device's time.
        offset_ms -> BigInt,
        spread_ms -> BigInt,
        samples -> Integer,
        /// settling: too few samples; steady; jumped: differs from what was steady and is being measured again; zone: whole quarters of an hour off, a wrong zone or a missed change of daylight saving.
        state -> Text,
        measured_at -> Timestamptz,
        /// Of a zone: device time from which the offset holds; before a missed change of daylight saving the clock was right.
        since -> Nullable<Timestamptz>,
        /// The offset that readings are corrected by at present; NULL: none.
        applied_ms -> Nullable<BigInt>,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// Models of devices and the decoder version that each is bound to.
    device_model (name) {
        name -> Text,
        title -> Text,
        decoder_name -> Text,
        decoder_version -> Text,
        /// Channels the decoder understands for this model; empty means any.
        channels -> Array<Text>,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// One row a physical thing, whichever tenant has it now.
    device_unit (id) {
        id -> Uuid,
        model -> Text,
        serial -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// A customer's EHR: where Observations go, which, and how the patient is named over there.
    endpoint (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        name -> Text,
        kind -> Text,
        url -> Text,
        auth_kind -> Text,
        auth_sealed -> Nullable<Bytea>,
        active -> Bool,
        /// Tokens system|code as the customer wrote them.
        filter_codes -> Array<Text>,
        /// Concept ids that those tokens resolve to; refreshed when new concepts are interned.
        filter_code_ids -> Array<BigInt>,
        filter_patients -> Array<Text>,
        /// Which of the Patient's identifiers the EHR knows; NULL: the first one.
        patient_identifier_system -> Nullable<Text>,
        create_patients -> Bool,
        failures -> Integer,
        /// The circuit breaker is open until then: no request is sent.
        closed_until -> Nullable<Timestamptz>,
        last_error -> Nullable<Text>,
        last_success_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        /// Tokens system|code of what does not go there, whatever else the filter says.
        filter_except_codes -> Array<Text>,
    }
}

diesel::table! {
    /// How one patient is named at one endpoint, where it differs from the Patient's own identifiers.
    endpoint_patient (tenant_id, endpoint_id, patient_id) {
        tenant_id -> Uuid,
        endpoint_id -> Uuid,
        patient_id -> Text,
        identifier_system -> Text,
        identifier_value -> Text,
    }
}

diesel::table! {
    /// How a vendor's cloud authenticates its posts and what it sends. The rest of a feed is its row in hub.
    feed (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        /// What the vendor sends, and how it names devices or accounts: a name of the server's table of formats.
        format -> Text,
        /// How a post is authenticated, without the secret.
        authentication -> Jsonb,
        /// What a GET or HEAD of the vendor is answered with.
        challenge -> Jsonb,
        /// The secret that the vendor shows or signs with, and the one before it while that still holds; sealed by the server's key.
        secrets_sealed -> Nullable<Bytea>,
        /// How the vendor's API is called: its addresses, and our client id there. The client secret is among the sealed secrets.
        client -> Nullable<Jsonb>,
    }
}

diesel::table! {
    /// What an account's owner let us fetch: the OAuth tokens, sealed.
    feed_authorization (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        feed_id -> Uuid,
        external_id -> Text,
        /// granted; refused: the vendor does not take the tokens any more, the owner has to consent again.
        state -> Text,
        reason -> Nullable<Text>,
        tokens_sealed -> Nullable<Bytea>,
        /// Raised with every new pair of tokens: a refresh replaces only the pair that it used.
        version -> Integer,
        /// Somebody refreshes: refresh tokens rotate, so that only one may at a time. It ends by itself when that process is gone.
        refreshing_until -> Nullable<Timestamptz>,
        /// When the vendor took the tokens last: what changed there since then is fetched when the owner consents again.
        valid_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// Links by which an account's owner can consent, until one is used or ends.
    feed_consent (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        feed_id -> Uuid,
        /// The virtual device that the account is to be linked with.
        device_id -> Uuid,
        /// SHA-256 of the state parameter (RFC 6749 section 10.12), which is used once.
        state_hash -> Bytea,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    /// Data that a vendor announced and that is still to be fetched, and subscriptions that are still to be made. Gone when done.
    feed_pull (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        feed_id -> Uuid,
        external_id -> Text,
        kind -> Text,
        /// From when; what was fetched and committed is in front of it.
        range_from -> Timestamptz,
        /// Until when; null: whatever was made or changed since range_from.
        range_until -> Nullable<Timestamptz>,
        /// waiting; pulling, until next_at at most; unauthorized: the owner has to consent (again); dead: given up after many tries. The last two are tried again after a consent, dead ones at request.
        state -> Text,
        attempts -> Integer,
        /// When it is tried; while it is pulled, when the lease ends.
        next_at -> Timestamptz,
        /// Who pulls it: only that one may finish it.
        lease -> Nullable<Uuid>,
        last_error -> Nullable<Text>,
        notified_at -> Timestamptz,
    }
}

diesel::table! {
    /// Readings that wait for a person: nobody wore the device then, or the value is outside the hard range. Decoded again from the uplink when released.
    held_reading (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        /// Hash of device, record key and kind, without the wearer; with the content's hash behind it where another content has that key.
        reading_key -> Text,
        uplink_id -> Uuid,
        received_at -> Timestamptz,
        device_id -> Uuid,
        kind -> Text,
        slot -> Text,
        measured_at -> Timestamptz,
        reason -> Text,
        detail -> Text,
        /// open; claimed, released (a person decided), taken (it came again, or was taken in, when its wearer was known); discarded (never a result, kept as evidence); expired (nobody decided in time, its bytes are gone; it opens again when it comes again); corrected (a replay read its bytes in another way: what it held is not what they say); alias (no reading, but the memory that a record comes under another key now).
        state -> Text,
        created_at -> Timestamptz,
        /// Hash of the clinical content: the same content again is known, other content is another matter. NULL for rows from before this column.
        content_hash -> Nullable<Bytea>,
        /// The decoder that read it first; it is asked again when the reading is released, if it is still loaded in that version.
        decoder_name -> Nullable<Text>,
        decoder_version -> Nullable<Text>,
        /// The clock offset that was applied when it came, so that decoding again gives the same time.
        clock_offset_ms -> Nullable<BigInt>,
        /// Zone of the device when it came, for the same reason.
        time_zone -> Nullable<Text>,
        /// The assignment that gave the subject; for a claim of this one reading an id of its own, which is in no assignment row.
        assignment_id -> Nullable<Uuid>,
        /// Whose it is, once a person or an assignment said so.
        patient_id -> Nullable<Text>,
        /// The Observation that it became.
        observation_id -> Nullable<Text>,
        settled_at -> Nullable<Timestamptz>,
        /// Of an alias: the key under which the record is stored, and that identifiers are made with; reading_key is the one under which it comes now.
        identity_key -> Nullable<Text>,
    }
}

diesel::table! {
    /// What carries many devices: a gateway, a vendor's cloud (feed), or the installation of a phone app (app).
    hub (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        model -> Text,
        serial -> Text,
        name -> Text,
        time_zone -> Nullable<Text>,
        active -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        /// The hub decoder's variables (handle map …), sealed by the server's key; JSON object of strings inside.
        variables_sealed -> Nullable<Bytea>,
        variables_version -> Integer,
        /// hub: a gateway with tokens of its own; feed: a vendor's cloud, see the table feed; app: a phone, see the table app_installation.
        kind -> Text,
    }
}

diesel::table! {
    /// Which devices a hub or feed may speak for, and under which address: a Bluetooth address, or the vendor's id of a device or account.
    hub_device (tenant_id, hub_id, device_id) {
        tenant_id -> Uuid,
        hub_id -> Uuid,
        device_id -> Uuid,
        address -> Nullable<Text>,
        paired_at -> Timestamptz,
    }
}

diesel::table! {
    /// Interned Identifier.system URIs. Row 1 is the empty system; URIs carry no patient data.
    identifier_system (id) {
        id -> BigInt,
        uri -> Text,
    }
}

diesel::table! {
    /// Transport keys: hashes of Idempotency-Keys, and of payloads without time or sequence within the model's repeat window.
    ingest_key (tenant_id, source_id, key) {
        tenant_id -> Uuid,
        source_id -> Uuid,
        key -> Bytea,
        uplink_id -> Uuid,
        received_at -> Timestamptz,
        expires_at -> Timestamptz,
        /// The first answer, given again to the same key.
        answer -> Jsonb,
    }
}

diesel::table! {
    /// One row, made once: who this installation is to the outside.
    installation (singleton) {
        singleton -> Bool,
        /// Namespace of every stable identifier that leaves: urn:uuid: and this.
        id -> Uuid,
        /// Cluster and database the row was made in; another one means a restored or cloned installation, and forwarding starts paused.
        database_identity -> Text,
        forwarding_paused -> Bool,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// Who may send on a lane until when; token is the fence: a holder whose token is no longer the row's writes nothing.
    lane_lease (tenant_id, endpoint_id, lane) {
        tenant_id -> Uuid,
        endpoint_id -> Uuid,
        lane -> SmallInt,
        token -> BigInt,
        holder -> Uuid,
        leased_until -> Timestamptz,
    }
}

diesel::table! {
    /// A broker that Afferent subscribes at, for the devices and hubs of one tenant.
    mqtt_connection (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        name -> Text,
        url -> Text,
        protocol -> Text,
        ca_certificates -> Nullable<Text>,
        client_id -> Text,
        share_group -> Text,
        user_name -> Nullable<Text>,
        password_sealed -> Nullable<Bytea>,
        /// Templates of topics, and what they mean: [{topic, channel}].
        topics -> Jsonb,
        /// Persistent sessions at the broker; several share their subscriptions. Never fewer than before: what a session has is delivered to it alone.
        sessions -> SmallInt,
        in_flight -> Integer,
        /// A distributor's connection: whether it also carries devices and hubs of its customers.
        include_customers -> Bool,
        active -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// Server processes that take sessions, so that each takes its share only. Outside tenant security: it says nothing of anybody.
    mqtt_process (id) {
        id -> Uuid,
        seen_at -> Timestamptz,
    }
}

diesel::table! {
    /// A persistent session at a broker: which process holds it until when, and how it is doing.
    mqtt_session (tenant_id, connection_id, number) {
        tenant_id -> Uuid,
        connection_id -> Uuid,
        number -> SmallInt,
        /// What the session has subscribed to at the broker, which remembers it: what is no longer wanted has to be unsubscribed.
        filters -> Array<Text>,
        holder -> Nullable<Uuid>,
        leased_until -> Nullable<Timestamptz>,
        state -> Text,
        connected_since -> Nullable<Timestamptz>,
        last_error -> Nullable<Text>,
        last_error_at -> Nullable<Timestamptz>,
        last_refusal -> Nullable<Text>,
        last_refusal_at -> Nullable<Timestamptz>,
        received -> BigInt,
        acknowledged -> BigInt,
        refused -> BigInt,
    }
}

diesel::table! {
    /// Observations, unpartitioned: both (tenant, id) and (tenant, identifier) must be unique over all time. No foreign keys: what they would point to is never deleted, and each costs a look-up and a lock a reading.
    observation (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Text,
        version -> Integer,
        last_updated -> Timestamptz,
        deleted -> Bool,
        identifier_system -> Nullable<BigInt>,
        /// The identifier that conditional creates and readings rest on; further ones are in observation_identifier_more.
        identifier_value -> Nullable<Text>,
        status -> Text,
        code_id -> Nullable<BigInt>,
        category_ids -> Array<BigInt>,
        patient_id -> Nullable<Text>,
        subject_type -> Nullable<Text>,
        subject_id -> Nullable<Text>,
        device_id -> Nullable<Text>,
        effective_low -> Nullable<Timestamptz>,
        /// Exclusive end of the range that the effective time covers at its precision.
        effective_high -> Nullable<Timestamptz>,
        value_number -> Nullable<Double>,
        value_unit -> Nullable<Text>,
        /// Whether $lastn, alerts and billing count it (fhir-profiles/dispositions.json).
        counted -> Bool,
        uplink_id -> Nullable<Uuid>,
        received_at -> Nullable<Timestamptz>,
        assignment_id -> Nullable<Uuid>,
        content_hash -> Nullable<Bytea>,
        decoder_name -> Nullable<Text>,
        decoder_version -> Nullable<Text>,
        body -> Text,
        /// Of a record that grows (`replace`): when its present state was seen, by the capture, else by the receipt. NULL for all others. A state that was seen earlier does not overwrite it.
        observed_at -> Nullable<Timestamptz>,
        /// When a FHIR client wrote it last; NULL for what only devices brought. A replay does not overwrite what a person changed.
        edited_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// Second and further identifiers of an Observation, and first ones that are not unique.
    observation_identifier_more (tenant_id, value, system, id) {
        tenant_id -> Uuid,
        value -> Text,
        system -> Text,
        id -> Text,
    }
}

diesel::table! {
    /// Decoders by name. Without a vendor it is the platform's.
    plugin (name) {
        name -> Text,
        vendor_id -> Nullable<Uuid>,
        /// Somebody chose the active version: a newer one that comes with the server does not replace it.
        pinned -> Bool,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// What was done to decoders, by whom and why; append-only.
    plugin_event (id) {
        id -> Uuid,
        plugin -> Text,
        version -> Text,
        action -> Text,
        /// The version that was active until then.
        before_version -> Nullable<Text>,
        token_id -> Nullable<Uuid>,
        actor -> Text,
        reason -> Text,
        at -> Timestamptz,
    }
}

diesel::table! {
    /// One row, counted up whenever another version serves: server processes look at it every second.
    plugin_generation (singleton) {
        singleton -> Bool,
        value -> BigInt,
    }
}

diesel::table! {
    /// Versions of decoders: those that came with a server, and those that were uploaded, with their bytes.
    plugin_version (id) {
        id -> Uuid,
        plugin -> Text,
        version -> Text,
        state -> Text,
        origin -> Text,
        content_hash -> Text,
        component -> Nullable<Bytea>,
        size -> BigInt,
        models -> Array<Text>,
        manifest -> Jsonb,
        examination -> Jsonb,
        /// Percent of the live uplinks that a version in shadow decodes beside the active one.
        shadow_share -> SmallInt,
        /// Name of the token that uploaded it, as it was then.
        author -> Text,
        uploaded_by -> Nullable<Uuid>,
        signature -> Nullable<Bytea>,
        signed_with -> Nullable<Bytea>,
        uploaded_at -> Timestamptz,
    }
}

diesel::table! {
    /// Uplinks that could not be decoded; the raw bytes stay with the uplink until the item is settled.
    quarantine (tenant_id, uplink_id) {
        tenant_id -> Uuid,
        uplink_id -> Uuid,
        received_at -> Timestamptz,
        device_id -> Nullable<Uuid>,
        reason -> Text,
        detail -> Text,
        /// open; settled by a replay; expired when nobody settled it in time: its bytes are gone then.
        state -> Text,
        attempts -> Integer,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// Append-only: who did what to a reading, when and why. token_id is NULL where the platform acted by itself.
    reading_correction (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        at -> Timestamptz,
        action -> Text,
        reason -> Text,
        token_id -> Nullable<Uuid>,
        device_id -> Uuid,
        held_reading_id -> Nullable<Uuid>,
        reassignment_id -> Nullable<Uuid>,
        old_observation -> Nullable<Text>,
        new_observation -> Nullable<Text>,
        replay_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    /// Somebody else wore a device in a period than was recorded: the correction, and how far it has come. A job row: any process goes on with one that is running.
    reassignment (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        device_id -> Uuid,
        slot -> Text,
        patient_id -> Text,
        period_from -> Timestamptz,
        period_until -> Nullable<Timestamptz>,
        reason -> Text,
        token_id -> Uuid,
        take_unassigned -> Bool,
        state -> Text,
        /// Observations that had to be moved; NULL until they are looked up, which is after the new assignments hold for everybody.
        found -> Nullable<Integer>,
        moved -> Integer,
        taken -> Integer,
        /// Why the last attempt did not get on; it is tried again.
        failure -> Nullable<Text>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// Observations that a reassignment still has to move, with the assignment that gives the right person; deleted as they are moved.
    reassignment_item (tenant_id, reassignment_id, observation_id) {
        tenant_id -> Uuid,
        reassignment_id -> Uuid,
        observation_id -> Text,
        assignment_id -> Uuid,
    }
}

diesel::table! {
    /// Uplinks that are decoded again, and how far that has come. A job row: one process works on it at a time, any process goes on after a crash.
    replay (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        /// Which uplinks, and with which decoder, as it was asked for.
        scope -> Jsonb,
        dry_run -> Bool,
        reason -> Text,
        token_id -> Uuid,
        state -> Text,
        total -> Nullable<BigInt>,
        /// The last uplink that is done, in the order of ids; written in the transaction that does it, so that nothing is done twice.
        position -> Nullable<Uuid>,
        counts -> Jsonb,
        /// Rows of replay_item; beyond the limit only counts are kept.
        items -> BigInt,
        /// The process that is at it, until lease_until.
        worker -> Nullable<Uuid>,
        lease_until -> Nullable<Timestamptz>,
        failure -> Nullable<Text>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// What a replay did, or a dry run would do, to one reading or uplink. What stays the same is only counted.
    replay_item (tenant_id, replay_id, id) {
        tenant_id -> Uuid,
        replay_id -> Uuid,
        id -> Uuid,
        uplink_id -> Uuid,
        action -> Text,
        reason -> Nullable<Text>,
        kind -> Nullable<Text>,
        observation_id -> Nullable<Text>,
        /// Fields of the Observation before and after: clinical data, shown to roles that may see patients.
        changes -> Nullable<Jsonb>,
    }
}

diesel::table! {
    /// Current version of every resource but Observation; body is the exact JSON text that is served.
    resource (tenant_id, type_, id) {
        tenant_id -> Uuid,
        #[sql_name = "type"]
        type_ -> Text,
        id -> Text,
        version -> Integer,
        last_updated -> Timestamptz,
        deleted -> Bool,
        body -> Text,
    }
}

diesel::table! {
    /// Date search index: the half-open range [low, high) that the value covers.
    resource_date (tenant_id, type_, parameter, low, high, id) {
        tenant_id -> Uuid,
        #[sql_name = "type"]
        type_ -> Text,
        parameter -> Text,
        low -> Timestamptz,
        high -> Timestamptz,
        id -> Text,
    }
}

diesel::table! {
    /// Reference search index; an absolute URL has the empty type and the URL as target_id.
    resource_reference (tenant_id, type_, parameter, target_id, target_type, id) {
        tenant_id -> Uuid,
        #[sql_name = "type"]
        type_ -> Text,
        parameter -> Text,
        target_type -> Text,
        target_id -> Text,
        id -> Text,
    }
}

diesel::table! {
    /// String search index: value is folded (lower case, no diacritics) for prefix search, exact is as written.
    resource_string (tenant_id, type_, parameter, value, exact, id) {
        tenant_id -> Uuid,
        #[sql_name = "type"]
        type_ -> Text,
        parameter -> Text,
        value -> Text,
        exact -> Text,
        id -> Text,
    }
}

diesel::table! {
    /// Token search index; system is empty where the value has none.
    resource_token (tenant_id, type_, parameter, value, system, id) {
        tenant_id -> Uuid,
        #[sql_name = "type"]
        type_ -> Text,
        parameter -> Text,
        value -> Text,
        system -> Text,
        id -> Text,
    }
}

diesel::table! {
    /// Superseded versions, Observation included.
    resource_version (tenant_id, type_, id, version) {
        tenant_id -> Uuid,
        #[sql_name = "type"]
        type_ -> Text,
        id -> Text,
        version -> Integer,
        last_updated -> Timestamptz,
        deleted -> Bool,
        body -> Text,
    }
}

diesel::table! {
    /// Hashes of record keys that a decoder version derives in another way: the key so far and the key to come. They become aliases when it is activated with recordKeys = remap.
    shadow_key (tenant_id, shadow_id, device_id, new_key) {
        tenant_id -> Uuid,
        shadow_id -> Uuid,
        device_id -> Uuid,
        new_key -> Text,
        old_key -> Text,
        uplink_id -> Uuid,
        received_at -> Timestamptz,
        kind -> Text,
        measured_at -> Timestamptz,
    }
}

diesel::table! {
    /// A decoder version beside the one that serves, over retained uplinks (replay) or beside live ones (live), and what differs.
    shadow_replay (id) {
        id -> Uuid,
        decoder_name -> Text,
        decoder_version -> Text,
        kind -> Text,
        scope -> Jsonb,
        token_id -> Nullable<Uuid>,
        state -> Text,
        total -> Nullable<BigInt>,
        position_tenant -> Nullable<Uuid>,
        position -> Nullable<Uuid>,
        report -> Jsonb,
        /// What a platform admin decided about changed record keys: remap (records are known under both keys from the activation on) or accept (what is sent again is new). NULL: nothing; changed keys block the activation.
        record_keys -> Nullable<Text>,
        record_keys_reason -> Nullable<Text>,
        worker -> Nullable<Uuid>,
        lease_until -> Nullable<Timestamptz>,
        failure -> Nullable<Text>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// Tokens with which devices and hubs send. The tenant follows from the token, therefore the table is read before a tenant is known.
    source_credential (id) {
        id -> Uuid,
        token_hash -> Bytea,
        tenant_id -> Uuid,
        source_kind -> Text,
        source_id -> Uuid,
        created_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// The tenant tree: distributors, and customers below a distributor or directly below the platform.
    tenant (id) {
        id -> Uuid,
        parent_id -> Nullable<Uuid>,
        kind -> Text,
        name -> Text,
        /// IANA name; the zone of last resort for a device's local time.
        time_zone -> Text,
        active -> Bool,
        created_at -> Timestamptz,
        /// Days that raw bytes are kept; NULL: as the server's configuration says.
        uplink_retention_days -> Nullable<SmallInt>,
        /// Where a tenant has a shorter retention than the longest: its raw bytes received before are deleted.
        bodies_swept_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// Items of devices that are not paired with the hub that carried them; their bytes lie with their uplink, sealed. Pairing claims them.
    unclaimed_item (tenant_id, uplink_id) {
        tenant_id -> Uuid,
        uplink_id -> Uuid,
        received_at -> Timestamptz,
        hub_id -> Uuid,
        /// How the hub names the device, in one spelling.
        address -> Text,
        /// Hash by which the same item is known when the hub sends it again.
        item_key -> Bytea,
        channel -> Text,
        /// What the hub calls the kind of device.
        device_type -> Nullable<Text>,
        size -> Integer,
        /// open; claimed (its device is paired, it is to be decoded); settled (decoded: the uplink's outcome says what became of it); discarded by a person; expired (nobody claimed it in time, its bytes are gone).
        state -> Text,
        device_id -> Nullable<Uuid>,
        /// Who discarded it.
        token_id -> Nullable<Uuid>,
        /// Why it was discarded.
        reason -> Nullable<Text>,
        settled_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// What was received, unaltered, with the facts of its receipt; partitioned by the server's receipt time, never by device time.
    uplink (tenant_id, id, received_at) {
        tenant_id -> Uuid,
        id -> Uuid,
        received_at -> Timestamptz,
        source_kind -> Text,
        source_id -> Uuid,
        /// The device; NULL for a hub's own payload, and for what nobody has claimed.
        device_id -> Nullable<Uuid>,
        channel -> Text,
        content_type -> Text,
        captured_at -> Nullable<Timestamptz>,
        /// Empty: raw bytes are in uplink_body. What an older server wrote here is moved there, and the column goes with a later migration.
        body -> Nullable<Bytea>,
        body_hash -> Bytea,
        body_size -> Integer,
        /// stored, duplicate, nothing, undecodable, incomplete, joined (decoded with later frames; the reason is that uplink), unassigned, held or quarantined; expired when frames that were missing never came. Of a hub's own payload: split. Of a device behind a hub that is not paired: unclaimed, discarded.
        outcome -> Text,
        reason -> Nullable<Text>,
        decoder_name -> Nullable<Text>,
        decoder_version -> Nullable<Text>,
        warnings -> Array<Text>,
    }
}

diesel::table! {
    /// Raw bytes that outlive their tenant's retention, because a person has not settled what came of them yet.
    uplink_body_kept (tenant_id, uplink_id) {
        tenant_id -> Uuid,
        uplink_id -> Uuid,
        received_at -> Timestamptz,
        key_id -> Integer,
        body -> Bytea,
        kept_at -> Timestamptz,
    }
}

diesel::table! {
    /// Makers of decoders that may upload their own.
    vendor (id) {
        id -> Uuid,
        name -> Text,
        /// Ed25519 (RFC 8032). Whoever has one must sign what they upload.
        public_key -> Nullable<Bytea>,
        active -> Bool,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// Uplinks whose decoder asked for more frames. They are decoded again together with what the device sends next; gone when joined, or quarantined when nothing came in time.
    waiting_frames (tenant_id, device_id, uplink_id) {
        tenant_id -> Uuid,
        device_id -> Uuid,
        uplink_id -> Uuid,
        received_at -> Timestamptz,
        expires_at -> Timestamptz,
        /// Whether it was decoded together with those that were waiting before it.
        tried -> Bool,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    activation,
    api_token,
    app_installation,
    app_pairing,
    assignment,
    assignment_history,
    concept,
    concept_coding,
    data_key,
    decoder,
    delivery,
    delivery_log,
    device,
    device_clock,
    device_model,
    device_unit,
    endpoint,
    endpoint_patient,
    feed,
    feed_authorization,
    feed_consent,
    feed_pull,
    held_reading,
    hub,
    hub_device,
    identifier_system,
    ingest_key,
    installation,
    lane_lease,
    mqtt_connection,
    mqtt_process,
    mqtt_session,
    observation,
    observation_identifier_more,
    plugin,
    plugin_event,
    plugin_generation,
    plugin_version,
    quarantine,
    reading_correction,
    reassignment,
    reassignment_item,
    replay,
    replay_item,
    resource,
    resource_date,
    resource_reference,
    resource_string,
    resource_token,
    resource_version,
    shadow_key,
    shadow_replay,
    source_credential,
    tenant,
    unclaimed_item,
    uplink,
    uplink_body_kept,
    vendor,
    waiting_frames,
);
