//! Columns that hold sealed values: which keys they are sealed with, and sealing them anew with the current one, a few rows
//! at a time, while servers run. The rooms say which columns they have.

use std::collections::BTreeMap;

use anyhow::Context;
use db::{Db, TenantId, TenantScope};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bytea, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::seal::{SealedBy, Sealer, sealed_by};

/// Rows of one transaction.
const CHUNK: i64 = 200;

/// A sealed column of a table whose key is tenant and id.
#[derive(Debug, Clone, Copy)]
pub struct SealedColumn {
    /// What people call it.
    pub title: &'static str,
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// What is set in a row whose value is lost, as SQL.
    pub emptied: &'static str,
    /// What a row's value is sealed for.
    pub place: fn(TenantId, Uuid) -> String,
}

#[derive(QueryableByName)]
struct SealedRow {
    #[diesel(sql_type = SqlUuid)]
    tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Bytea)]
    sealed: Vec<u8>,
}

impl SealedColumn {
    /// How many values each key sealed.
    ///
    /// # Errors
    /// The database's error; a value that is no box.
    pub async fn sealed_with(&self, db: &Db) -> anyhow::Result<BTreeMap<SealedBy, i64>> {
        #[derive(QueryableByName)]
        struct Group {
            #[diesel(sql_type = Bytea)]
            head: Vec<u8>,
            #[diesel(sql_type = BigInt)]
            count: i64,
        }
        let mut transaction = db.begin_worker().await?;
        // Version and key id; boxes of version 1 have a nonce there, of which only the version counts.
        let groups: Vec<Group> = diesel::sql_query(format!(
            "SELECT CASE get_byte({column}, 0) WHEN 1 THEN substr({column}, 1, 1) ELSE substr({column}, 1, 9) END AS head, count(*) AS count \
             FROM {table} WHERE length({column}) > 0 GROUP BY 1",
            column = self.column,
            table = self.table
        ))
        .load(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let mut found = BTreeMap::new();
        for group in groups {
            *found.entry(sealed_by(&group.head).context(self.title)?).or_default() += group.count;
        }
        Ok(found)
    }

    /// Refuses to go on when values are sealed with a key that is not known: better at the start than at the first read.
    ///
    /// # Errors
    /// Which key is missing.
    pub async fn check(&self, db: &Db, sealer: &Sealer) -> anyhow::Result<()> {
        for (by, count) in self.sealed_with(db).await? {
            let known = match by {
                SealedBy::Key(id) => sealer.knows(id),
                SealedBy::Unnamed => self.sample_opens(db, sealer).await?,
            };
            anyhow::ensure!(
                known,
                "{count} {} are sealed with {by}, which is neither secret_key ({}) nor one of secret_keys_previous",
                self.title,
                sealer.key()
            );
        }
        Ok(())
    }

    /// Whether a value without key id opens.
    async fn sample_opens(&self, db: &Db, sealer: &Sealer) -> anyhow::Result<bool> {
        let mut transaction = db.begin_worker().await?;
        let rows: Vec<SealedRow> = diesel::sql_query(format!(
            "SELECT tenant_id, id, {column} AS sealed FROM {table} WHERE length({column}) > 0 AND get_byte({column}, 0) = 1 LIMIT 1",
            column = self.column,
            table = self.table
        ))
        .load(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(rows.iter().all(|row| sealer.open(&(self.place)(row.tenant_id, row.id), &row.sealed).is_ok()))
    }

    /// Seals with the current key what another one sealed; answers how many values. Killed in the middle, it goes on at
    /// the next call: what is done already does not come up again. A value that is changed meanwhile stays as it is.
    ///
    /// # Errors
    /// The database's error; a value that does not open, with its row.
    pub async fn reseal(
        &self,
        db: &Db,
        sealer: &Sealer,
        mut progress: impl FnMut(usize) + Send,
    ) -> anyhow::Result<usize> {
        let (mut done, mut after) = (0, (TenantId(Uuid::nil()), Uuid::nil()));
        loop {
            let rows = self.chunk(db, sealer, after).await?;
            let Some(last) = rows.last() else { return Ok(done) };
            after = (last.tenant_id, last.id);
            // A row's own tenant writes it: the worker may not.
            for of_tenant in rows.chunk_by(|a, b| a.tenant_id == b.tenant_id) {
                done += self.reseal_rows(db, sealer, of_tenant).await?;
            }
            progress(done);
        }
    }

    /// Empties the values of a tenant that a lost key sealed; answers how many.
    ///
    /// # Errors
    /// The database's error.
    pub async fn abandon(&self, db: &Db, tenant: TenantId, lost: SealedBy) -> anyhow::Result<usize> {
        let mut transaction = TenantScope::one(tenant).begin(db).await?;
        let count = diesel::sql_query(format!(
            "UPDATE {table} SET {emptied} WHERE tenant_id = $1 AND length({column}) > 0 AND substr({column}, 1, length($2)) = $2",
            column = self.column,
            emptied = self.emptied,
            table = self.table
        ))
        .bind::<SqlUuid, _>(tenant)
        .bind::<Bytea, _>(lost.prefix())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(count)
    }

    async fn chunk(&self, db: &Db, sealer: &Sealer, after: (TenantId, Uuid)) -> anyhow::Result<Vec<SealedRow>> {
        let mut transaction = db.begin_worker().await?;
        let rows = diesel::sql_query(format!(
            "SELECT tenant_id, id, {column} AS sealed FROM {table} \
             WHERE length({column}) > 0 AND substr({column}, 1, length($1)) <> $1 AND (tenant_id, id) > ($2, $3) \
             ORDER BY tenant_id, id LIMIT $4",
            column = self.column,
            table = self.table
        ))
        .bind::<Bytea, _>(sealer.current_prefix())
        .bind::<SqlUuid, _>(after.0)
        .bind::<SqlUuid, _>(after.1)
        .bind::<BigInt, _>(CHUNK)
        .load(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(rows)
    }

    async fn reseal_rows(&self, db: &Db, sealer: &Sealer, rows: &[SealedRow]) -> anyhow::Result<usize> {
        let Some(first) = rows.first() else { return Ok(0) };
        let mut anew = Vec::with_capacity(rows.len());
        for row in rows {
            let place = (self.place)(row.tenant_id, row.id);
            let plain = sealer.open(&place, &row.sealed).with_context(|| format!("{} of {}", self.title, row.id))?;
            anew.push(sealer.seal(&place, &Zeroizing::new(plain))?);
        }
        let mut transaction = TenantScope::one(first.tenant_id).begin(db).await?;
        let changed = diesel::sql_query(format!(
            "UPDATE {table} t SET {column} = x.anew FROM unnest($2, $3, $4) AS x(id, old, anew) \
             WHERE t.tenant_id = $1 AND t.id = x.id AND t.{column} = x.old",
            column = self.column,
            table = self.table
        ))
        .bind::<SqlUuid, _>(first.tenant_id)
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.id).collect::<Vec<_>>())
        .bind::<Array<Bytea>, _>(rows.iter().map(|row| row.sealed.as_slice()).collect::<Vec<_>>())
        .bind::<Array<Bytea>, _>(anew)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(changed)
    }
}
