//! Prints schema.rs for a database given by its connection string; `afferent migrate --print-schema` is the usual way.
use diesel_async::AsyncConnection;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("give a connection string")?;
    db::migrate(&url, &[]).await?;
    let mut connection = diesel_async::AsyncPgConnection::establish(&url).await?;
    print!("{}", db::print_schema(&mut connection).await?);
    Ok(())
}
