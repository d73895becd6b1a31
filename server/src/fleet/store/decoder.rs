//! Decoders and device models: outside tenant security, written at start.

use db::schema::{decoder, device_model};
use diesel::prelude::*;
use diesel::upsert::excluded;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use plugin_host::{Decoder, Model};

use crate::fleet::decoders::{Origin, ServedModel};

/// Records a decoder version, and answers the hash of its bytes that was recorded before.
pub async fn upsert_decoder(
    conn: &mut AsyncPgConnection,
    loaded: &Decoder,
    origin: Origin,
) -> QueryResult<Option<String>> {
    let manifest = loaded.manifest();
    let before = decoder::table
        .find((&manifest.name, &manifest.version))
        .select(decoder::content_hash)
        .first(conn)
        .await
        .optional()?;
    diesel::insert_into(decoder::table)
        .values((
            decoder::name.eq(&manifest.name),
            decoder::version.eq(&manifest.version),
            decoder::content_hash.eq(loaded.content_hash()),
            decoder::origin.eq(origin.as_str()),
            decoder::vendor.eq(&manifest.vendor),
            decoder::license.eq(&manifest.license),
            decoder::description.eq(&manifest.description),
        ))
        .on_conflict((decoder::name, decoder::version))
        .do_update()
        .set((
            decoder::content_hash.eq(excluded(decoder::content_hash)),
            decoder::origin.eq(excluded(decoder::origin)),
            decoder::vendor.eq(excluded(decoder::vendor)),
            decoder::license.eq(excluded(decoder::license)),
            decoder::description.eq(excluded(decoder::description)),
            decoder::loaded_at.eq(diesel::dsl::now),
        ))
        .execute(conn)
        .await?;
    Ok(before)
}

/// Records a model and the decoder version that it is bound to.
pub async fn upsert_model(conn: &mut AsyncPgConnection, served: &ServedModel) -> QueryResult<()> {
    upsert_model_row(conn, &served.model, &served.decoder).await
}

/// The same of a model that is about to be served.
pub async fn upsert_model_row(conn: &mut AsyncPgConnection, model: &Model, decoder: &Decoder) -> QueryResult<()> {
    let manifest = decoder.manifest();
    diesel::insert_into(device_model::table)
        .values((
            device_model::name.eq(&model.name),
            device_model::title.eq(&model.title),
            device_model::decoder_name.eq(&manifest.name),
            device_model::decoder_version.eq(&manifest.version),
            device_model::channels.eq(&model.channels),
        ))
        .on_conflict(device_model::name)
        .do_update()
        .set((
            device_model::title.eq(excluded(device_model::title)),
            device_model::decoder_name.eq(excluded(device_model::decoder_name)),
            device_model::decoder_version.eq(excluded(device_model::decoder_version)),
            device_model::channels.eq(excluded(device_model::channels)),
            device_model::updated_at.eq(diesel::dsl::now),
        ))
        .execute(conn)
        .await?;
    Ok(())
}
