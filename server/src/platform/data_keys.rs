//! Data keys: what raw bytes are sealed with. They lie in the database, each sealed by the installation's key, so that
//! changing that key means sealing a few rows anew, not every payload.
//!
//! A box is nonce (24 bytes) ‖ XChaCha20-Poly1305. The nonce is 20 random bytes drawn once for a batch, and the number of
//! the box within it: two boxes share a nonce only if two batches drew the same 160 bits. Nothing is remembered between
//! batches, so neither a second process nor a machine that was cloned while it ran can repeat one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, anyhow};
use chacha20poly1305::aead::{Aead, AeadInPlace, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use chrono::{DateTime, Duration, Utc};
use db::{Db, TenantId, Transaction, UplinkId};
use diesel::QueryableByName;
use diesel::sql_types::{Bytea, Integer, Nullable, Timestamptz};
use diesel_async::RunQueryDsl;
use zeroize::Zeroizing;

use super::seal::{NONCE, SealedBy, Sealer, sealed_by};

/// Random bytes of a nonce; the rest counts.
const RANDOM: usize = 20;
/// Two processes that make the first key, or rotate, take turns.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('afferent.data_key'))";

/// The keys in memory.
#[derive(Default)]
pub struct DataKeys {
    ring: RwLock<Arc<Ring>>,
}

#[derive(Default)]
struct Ring {
    /// The newest that is not retired.
    current: Option<Arc<DataKey>>,
    all: HashMap<i32, Arc<DataKey>>,
}

struct DataKey {
    id: i32,
    cipher: XChaCha20Poly1305,
    created_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Integer)]
    id: i32,
    #[diesel(sql_type = Bytea)]
    sealed: Vec<u8>,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    retired_at: Option<DateTime<Utc>>,
}

/// Seals the bodies of one batch.
pub struct BatchSealer {
    key: Arc<DataKey>,
    random: [u8; RANDOM],
    next: u32,
}

impl DataKeys {
    /// Reads the keys; makes the first one at the first start.
    ///
    /// # Errors
    /// When a key does not open, which is when `secret_key` is another one: says which key would be right.
    pub async fn load(db: &Db, sealer: &Sealer) -> anyhow::Result<Self> {
        let keys = Self::default();
        keys.refresh(db, sealer).await?;
        if keys.ring().current.is_none() {
            keys.rotate(db, sealer, None).await?;
        }
        Ok(keys)
    }

    /// Reads the keys again: another process may have made one, or sealed them with another key.
    ///
    /// # Errors
    /// The database's error, or that a key does not open; the keys in memory stay.
    pub async fn refresh(&self, db: &Db, sealer: &Sealer) -> anyhow::Result<()> {
        let mut transaction = db.begin_worker().await?;
        let rows = rows(&mut transaction).await?;
        transaction.commit().await?;
        let ring = Ring::open(sealer, rows)?;
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(())
    }

    /// Makes a new key and retires the others; with `older_than` only when the present one is that old. Answers the new
    /// key's number. Processes that run use it within a minute.
    ///
    /// # Errors
    /// The database's error, or that the machine has no randomness.
    pub async fn rotate(
        &self,
        db: &Db,
        sealer: &Sealer,
        older_than: Option<(Duration, DateTime<Utc>)>,
    ) -> anyhow::Result<Option<i32>> {
        let due = |created_at: DateTime<Utc>| older_than.is_none_or(|(age, now)| created_at <= now - age);
        if self.ring().current.as_ref().is_some_and(|current| !due(current.created_at)) {
            return Ok(None);
        }
        let mut transaction = db.begin_worker().await?;
        diesel::sql_query(LOCK).execute(&mut *transaction).await?;
        let found = rows(&mut transaction).await?;
        let newest = found.iter().filter(|row| row.retired_at.is_none()).map(|row| row.created_at).max();
        // Another process was first: at the first start, or because it was due there as well.
        let first_start = self.ring().current.is_none();
        let made = if newest.is_some_and(|newest| first_start || !due(newest)) {
            None
        } else {
            Some(make(&mut transaction, sealer).await?)
        };
        transaction.commit().await?;
        if let Some(id) = made {
            tracing::info!(data_key = id, "a data key was made");
        }
        self.refresh(db, sealer).await?;
        Ok(made)
    }

    /// What seals the next batch.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn batch(&self) -> anyhow::Result<BatchSealer> {
        let key = self.ring().current.clone().context("there is no data key")?;
        let mut random = [0; RANDOM];
        getrandom::fill(&mut random).map_err(|error| anyhow!("no randomness: {error}"))?;
        Ok(BatchSealer { key, random, next: 0 })
    }

    /// Opens the raw bytes of an uplink; a key that is not known yet is looked for once.
    ///
    /// # Errors
    /// When the box is damaged, belongs to another uplink, or its key is not there.
    pub async fn open(
        &self,
        db: &Db,
        sealer: &Sealer,
        key: i32,
        (tenant, uplink): (TenantId, UplinkId),
        sealed: &[u8],
    ) -> anyhow::Result<Vec<u8>> {
        if !self.ring().all.contains_key(&key) {
            self.refresh(db, sealer).await?;
        }
        let key = self.ring().all.get(&key).cloned().with_context(|| format!("there is no data key {key}"))?;
        let (nonce, boxed) = sealed.split_at_checked(NONCE).context("sealed raw bytes that are too short")?;
        key.cipher
            .decrypt(XNonce::from_slice(nonce), Payload { msg: boxed, aad: &place(tenant, uplink) })
            .map_err(|_opaque| anyhow!("sealed raw bytes do not open: they were moved or changed"))
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Ring {
    fn open(sealer: &Sealer, rows: Vec<Row>) -> anyhow::Result<Self> {
        let mut ring = Self::default();
        for row in rows {
            let plain = sealer
                .open(&key_place(row.id), &row.sealed)
                .with_context(|| {
                    format!("the data key {} cannot be opened with the secret_key {}", row.id, sealer.key())
                })
                .map(Zeroizing::new)?;
            let cipher = XChaCha20Poly1305::new_from_slice(&plain)
                .map_err(|_length| anyhow!("the data key {} has the wrong length", row.id))?;
            let key = Arc::new(DataKey { id: row.id, cipher, created_at: row.created_at });
            ring.all.insert(row.id, Arc::clone(&key));
            // Rows come in the order of their numbers.
            if row.retired_at.is_none() {
                ring.current = Some(key);
            }
        }
        Ok(ring)
    }
}

impl BatchSealer {
    /// The number of the key, for the row.
    #[must_use]
    pub fn key(&self) -> i32 {
        self.key.id
    }

    /// Seals the raw bytes of an uplink: they open as the bytes of no other.
    ///
    /// # Errors
    /// After four thousand million boxes of one batch.
    pub fn seal(&mut self, tenant: TenantId, uplink: UplinkId, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
        let number = self.next;
        self.next = number.checked_add(1).context("a batch has too many boxes")?;
        let mut sealed = Vec::with_capacity(NONCE + bytes.len() + 16);
        sealed.extend_from_slice(&self.random);
        sealed.extend_from_slice(&number.to_le_bytes());
        let nonce = *XNonce::from_slice(&sealed);
        sealed.extend_from_slice(bytes);
        let (_nonce, boxed) = sealed.split_at_mut(NONCE);
        let tag = self
            .key
            .cipher
            .encrypt_in_place_detached(&nonce, &place(tenant, uplink), boxed)
            .map_err(|_opaque| anyhow!("raw bytes could not be sealed"))?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }
}

/// Seals the data keys that another key than the current one sealed; answers how many.
///
/// # Errors
/// The database's error, or that a key cannot be opened with the keys that are known.
pub async fn reseal(db: &Db, sealer: &Sealer) -> anyhow::Result<usize> {
    let mut transaction = db.begin_worker().await?;
    diesel::sql_query(LOCK).execute(&mut *transaction).await?;
    let mut count = 0;
    for row in rows(&mut transaction).await? {
        if row.sealed.starts_with(&sealer.current_prefix()) {
            continue;
        }
        let place = key_place(row.id);
        let plain = Zeroizing::new(sealer.open(&place, &row.sealed).with_context(|| format!("data key {}", row.id))?);
        count += diesel::sql_query("UPDATE data_key SET sealed = $1 WHERE id = $2")
            .bind::<Bytea, _>(sealer.seal(&place, &plain)?)
            .bind::<Integer, _>(row.id)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(count)
}

/// Gives up the data keys that a lost key sealed; answers their numbers. What they sealed can never be opened again.
///
/// # Errors
/// The database's error.
pub async fn abandon(db: &Db, lost: SealedBy) -> anyhow::Result<Vec<i32>> {
    let mut transaction = db.begin_worker().await?;
    diesel::sql_query(LOCK).execute(&mut *transaction).await?;
    let mut given_up = Vec::new();
    for row in rows(&mut transaction).await? {
        if sealed_by(&row.sealed)? == lost {
            given_up.push(row.id);
            diesel::sql_query(
                "UPDATE data_key SET sealed = '', retired_at = coalesce(retired_at, now()) WHERE id = $1",
            )
            .bind::<Integer, _>(row.id)
            .execute(&mut *transaction)
            .await?;
        }
    }
    transaction.commit().await?;
    Ok(given_up)
}

/// Which keys sealed the data keys, one entry each.
///
/// # Errors
/// The database's error.
pub async fn sealed_with(db: &Db) -> anyhow::Result<Vec<SealedBy>> {
    let mut transaction = db.begin_worker().await?;
    let rows = rows(&mut transaction).await?;
    transaction.commit().await?;
    rows.iter().map(|row| sealed_by(&row.sealed)).collect()
}

/// Those that were not given up, oldest first.
async fn rows(transaction: &mut Transaction) -> diesel::QueryResult<Vec<Row>> {
    diesel::sql_query("SELECT id, sealed, created_at, retired_at FROM data_key WHERE sealed <> '' ORDER BY id")
        .load(&mut **transaction)
        .await
}

/// A new key; its number is part of what it is sealed for, so the row comes first.
async fn make(transaction: &mut Transaction, sealer: &Sealer) -> anyhow::Result<i32> {
    #[derive(QueryableByName)]
    struct Made {
        #[diesel(sql_type = Integer)]
        id: i32,
    }
    let mut plain = Zeroizing::new([0u8; 32]);
    getrandom::fill(plain.as_mut()).map_err(|error| anyhow!("no randomness: {error}"))?;
    diesel::sql_query("UPDATE data_key SET retired_at = now() WHERE retired_at IS NULL")
        .execute(&mut **transaction)
        .await?;
    let made: Made = diesel::sql_query("INSERT INTO data_key (sealed) VALUES ('') RETURNING id")
        .get_result(&mut **transaction)
        .await?;
    diesel::sql_query("UPDATE data_key SET sealed = $1 WHERE id = $2")
        .bind::<Bytea, _>(sealer.seal(&key_place(made.id), plain.as_ref())?)
        .bind::<Integer, _>(made.id)
        .execute(&mut **transaction)
        .await?;
    Ok(made.id)
}

fn key_place(id: i32) -> String {
    format!("data_key/{id}")
}

/// What raw bytes are sealed for: their tenant and uplink.
fn place(tenant: TenantId, uplink: UplinkId) -> [u8; 32] {
    let mut place = [0; 32];
    let (first, second) = place.split_at_mut(16);
    first.copy_from_slice(tenant.0.as_bytes());
    second.copy_from_slice(uplink.0.as_bytes());
    place
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn keys() -> DataKeys {
        let cipher = XChaCha20Poly1305::new(&[7; 32].into());
        #[expect(clippy::disallowed_methods, reason = "any time will do")]
        let key = Arc::new(DataKey { id: 3, cipher, created_at: Utc::now() });
        let ring = Ring { current: Some(Arc::clone(&key)), all: HashMap::from([(3, key)]) };
        DataKeys { ring: RwLock::new(Arc::new(ring)) }
    }

    fn opened(keys: &DataKeys, tenant: TenantId, uplink: UplinkId, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, boxed) = sealed.split_at(NONCE);
        let key = keys.ring().all.get(&3).cloned().unwrap();
        key.cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: boxed, aad: &place(tenant, uplink) }).ok()
    }

    #[test]
    fn raw_bytes_open_as_those_of_their_uplink_only() {
        let keys = keys();
        let (tenant, uplink) = (TenantId::generate(), UplinkId::generate());
        let sealed = keys.batch().unwrap().seal(tenant, uplink, b"raw bytes").unwrap();
        assert_eq!(sealed.len(), NONCE + 9 + 16);
        assert_eq!(opened(&keys, tenant, uplink, &sealed).unwrap(), b"raw bytes");
        assert!(opened(&keys, tenant, UplinkId::generate(), &sealed).is_none());
        assert!(opened(&keys, TenantId::generate(), uplink, &sealed).is_none());
    }

    #[test]
    fn no_nonce_comes_twice() {
        let keys = keys();
        let mut seen = HashSet::new();
        for _batch in 0..50 {
            let mut batch = keys.batch().unwrap();
            for _row in 0..200 {
                let sealed = batch.seal(TenantId::generate(), UplinkId::generate(), b"").unwrap();
                assert!(seen.insert(sealed[..NONCE].to_vec()));
            }
        }
    }
}
