//! Times as the database keeps them.

/// Microseconds since 1970, UTC.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// The first microsecond of the current month, UTC.
pub(crate) fn month_start() -> i64 {
    let utc = jiff::tz::TimeZone::UTC;
    let first = utc
        .to_datetime(jiff::Timestamp::now())
        .date()
        .first_of_month();
    utc.to_timestamp(first.to_datetime(jiff::civil::Time::midnight()))
        .map_or(0, |time| time.as_microsecond())
}

/// The database keeps signed numbers; ours never reach the sign.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The way back.
pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
