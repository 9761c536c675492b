/// All SQL of the store, each statement one thing. Standard SQL that SQLite 3.40 and PostgreSQL 15 both take; times are
/// milliseconds since 1970 UTC; text is valid UTF-8 without NUL (escape_bytes()).

#pragma once

#include "store/session.h"

namespace alertspool::sql {

inline constexpr std::int64_t kSchemaVersion = 1;
/// In its place: a spool that nobody may use, because it is the target of a copy, or was its source.
inline constexpr std::int64_t kUnfinished = 0;
inline constexpr std::int64_t kMoved = -1;

/// SQLite's tables. A delivery is fresh until a claim looks at it: then it runs, or enters its lane (action, alarm).
/// The oldest of a lane has a `due`, those behind it usually NULL. So an accept writes to ends of indexes only.
inline constexpr const char* kCreate[] = {
    // one row: which schema this is
    "CREATE TABLE meta (version INTEGER NOT NULL)",

    R"(CREATE TABLE alert (
      id           INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again, also after a purge
      received     BIGINT NOT NULL,
      remote_addr  TEXT NOT NULL,
      token        TEXT NOT NULL,               -- the token's name
      query        TEXT NOT NULL,               -- of the URL, without the token
      content_type TEXT NOT NULL,
      body         TEXT NOT NULL,               -- as it came, escape_bytes()
      sent         BIGINT NOT NULL,             -- the sender's time, 0: none; part of what the digest covers
      digest       TEXT NOT NULL,               -- equal for the sender's repeats
      alarm        TEXT NOT NULL,
      severity     TEXT NOT NULL,
      test         INTEGER NOT NULL,            -- 1: a drill
      undecodable  TEXT NOT NULL,               -- why; empty: it is an alert
      unmatched    INTEGER NOT NULL DEFAULT 0,  -- 1: no action took it
      duplicates   INTEGER NOT NULL             -- repeats that were answered and left out
    ))",
    // Unique by digest alone; `sent` first, so that new ones go to the end of the index, not to a page each.
    "CREATE UNIQUE INDEX alert_digest ON alert (sent, digest)",
    "CREATE INDEX alert_received ON alert (received)",
    "CREATE INDEX alert_undecodable ON alert (id) WHERE undecodable <> ''",
    "CREATE INDEX alert_unmatched ON alert (id) WHERE unmatched = 1",

    R"(CREATE TABLE delivery (
      alert_id    BIGINT NOT NULL,
      action      TEXT NOT NULL,
      lane        TEXT,                         -- the alert's alarm; NULL: fresh
      state       TEXT NOT NULL,                -- pending, running, delivered, failed, dropped
      due         BIGINT,                       -- pending in a lane: not before; NULL: after the one before it
      attempts    INTEGER NOT NULL DEFAULT 0,   -- tries begun
      owner       TEXT NOT NULL DEFAULT '',     -- when running: whose
      lease_until BIGINT,                       -- when running: theirs until then
      PRIMARY KEY (alert_id, action)
    ) WITHOUT ROWID)",
    // with the columns of its condition: else SQLite looks each up in the table to test it once more
    "CREATE INDEX delivery_fresh ON delivery (action, alert_id, state, lane) WHERE state = 'pending' AND lane IS NULL",
    R"(CREATE INDEX delivery_lane ON delivery (action, lane, alert_id)
        WHERE state IN ('pending', 'running') AND lane IS NOT NULL)",
    "CREATE INDEX delivery_due ON delivery (action, due) WHERE state = 'pending' AND due IS NOT NULL",
    "CREATE INDEX delivery_running ON delivery (owner, lease_until) WHERE state = 'running'",
    "CREATE INDEX delivery_failed ON delivery (action, alert_id) WHERE state = 'failed'",

    // how many deliveries are delivered and dropped: too many to be counted one by one
    R"(CREATE TABLE ended (
      action TEXT NOT NULL,
      state  TEXT NOT NULL,
      count  BIGINT NOT NULL,
      PRIMARY KEY (action, state)
    ) WITHOUT ROWID)",

    R"(CREATE TABLE attempt (
      alert_id BIGINT NOT NULL,
      action   TEXT NOT NULL,
      number   INTEGER NOT NULL,
      host     TEXT NOT NULL,
      started  BIGINT NOT NULL,
      duration BIGINT NOT NULL,
      outcome  TEXT NOT NULL,                   -- 'exit 0'
      output   TEXT NOT NULL,                   -- of the command, escape_bytes()
      PRIMARY KEY (alert_id, action, number)
    ) WITHOUT ROWID)",

    R"(CREATE TABLE alarm (
      id        TEXT PRIMARY KEY,
      fires     INTEGER NOT NULL,               -- 1 from ALERT until OK
      severity  TEXT NOT NULL,                  -- of the last alert
      since     BIGINT NOT NULL,                -- when `fires` last changed
      seen      BIGINT NOT NULL,                -- last written
      following TEXT NOT NULL                   -- actions that get all of it until OK, blank between
    ) WITHOUT ROWID)",

    R"(CREATE TABLE refusal (
      reason  TEXT NOT NULL,
      allowed INTEGER NOT NULL,                 -- 1: from an allowed address
      count   BIGINT NOT NULL,
      last    BIGINT NOT NULL,
      address TEXT NOT NULL,                    -- of the last one
      PRIMARY KEY (reason, allowed)
    ) WITHOUT ROWID)",

    R"(CREATE TABLE process (
      role    TEXT NOT NULL,
      host    TEXT NOT NULL,
      pid     INTEGER NOT NULL,
      started BIGINT NOT NULL,
      heard   BIGINT NOT NULL,
      actions TEXT NOT NULL,                    -- 'log:DIGEST page:DIGEST'
      note    TEXT NOT NULL,                    -- what is wrong with it
      PRIMARY KEY (role, host, pid)
    ) WITHOUT ROWID)",
};

inline constexpr Statement kReadVersion{"SELECT version FROM meta", "", "", "i"};
inline constexpr Statement kWriteVersion{"INSERT INTO meta (version) VALUES (?)", "", "i", ""};

inline constexpr Statement kProbe{"UPDATE meta SET version = version", "", "", ""};

// ---- put

/// New iff the returned `duplicates` is what was given (the repeats inside the batch).
inline constexpr Statement kPutAlerts{R"(
  WITH v (received, remote_addr, token, query, content_type, body, sent, digest, alarm, severity, test, undecodable,
          duplicates)
    AS ({rows})
  INSERT INTO alert (received, remote_addr, token, query, content_type, body, sent, digest, alarm, severity, test,
                     undecodable, duplicates)
  SELECT CAST(received AS BIGINT), remote_addr, token, query, content_type, body, CAST(sent AS BIGINT), digest,
         alarm, severity, CAST(test AS INTEGER), undecodable, CAST(duplicates AS INTEGER)
    FROM v WHERE received IS NOT NULL
  ON CONFLICT (sent, digest) DO UPDATE SET duplicates = alert.duplicates + excluded.duplicates + 1
  RETURNING id, digest, duplicates)",
                                      "isssssisssisi", "", "isi"};

inline constexpr Statement kReadAlarms{R"(
  WITH v (id) AS ({rows})
  SELECT a.id, a.fires, a.severity, a.since, a.seen, a.following FROM v JOIN alarm a ON a.id = v.id
   WHERE v.id IS NOT NULL)",
                                       "s", "", "sisiis"};

inline constexpr Statement kWriteAlarms{R"(
  WITH v (id, fires, severity, since, seen, following) AS ({rows})
  INSERT INTO alarm (id, fires, severity, since, seen, following)
  SELECT id, CAST(fires AS INTEGER), severity, CAST(since AS BIGINT), CAST(seen AS BIGINT), following
    FROM v WHERE id IS NOT NULL
  ON CONFLICT (id) DO UPDATE SET fires = excluded.fires, severity = excluded.severity, since = excluded.since,
                                 seen = excluded.seen, following = excluded.following)",
                                        "sisiis", "", ""};

inline constexpr Statement kPutDeliveries{R"(
  WITH v (alert_id, action) AS ({rows})
  INSERT INTO delivery (alert_id, action, state)
  SELECT CAST(alert_id AS BIGINT), action, 'pending' FROM v WHERE alert_id IS NOT NULL)",
                                          "is", "", ""};

inline constexpr Statement kMarkUnmatched{R"(
  WITH v (id) AS ({rows}) UPDATE alert SET unmatched = 1 WHERE id IN (SELECT CAST(id AS BIGINT) FROM v))",
                                          "i", "", ""};

inline constexpr Statement kCountWaiting{R"(
  SELECT (SELECT count(*) FROM delivery WHERE state = 'pending' AND lane IS NULL)
       + (SELECT count(*) FROM delivery WHERE state IN ('pending', 'running') AND lane IS NOT NULL))",
                                         "", "", "i"};

inline constexpr Statement kCountRefusals{R"(
  WITH v (reason, allowed, count, last, address) AS ({rows})
  INSERT INTO refusal (reason, allowed, count, last, address)
  SELECT reason, CAST(allowed AS INTEGER), CAST(count AS BIGINT), CAST(last AS BIGINT), address
    FROM v WHERE reason IS NOT NULL
  ON CONFLICT (reason, allowed) DO UPDATE SET count = refusal.count + excluded.count, last = excluded.last,
                                              address = excluded.address)",
                                          "siiis", "", ""};

// ---- claim and mark

/// Due times further ahead than any retry were written before the clock was set back.
inline constexpr Statement kPullDue{R"(
  UPDATE delivery SET due = ? WHERE action = ? AND state = 'pending' AND due IS NOT NULL AND due > ?)",
                                    "", "isi", ""};

/// Of all but one owner, those that have ended. With no owner and the end of time: whatever runs.
inline constexpr Statement kEndLeases{R"(
  UPDATE delivery SET state = 'pending', owner = '', lease_until = NULL, due = ?
   WHERE state = 'running' AND owner <> ? AND lease_until < ?)",
                                      "", "isi", ""};

/// The heads of lanes that are due. Each is looked up by itself: of NOT EXISTS PostgreSQL would make a join, and may
/// read all lanes for each.
inline constexpr Statement kClaimHeads{R"(
  UPDATE delivery SET state = 'running', owner = ?, lease_until = ?, attempts = attempts + 1, due = NULL
   WHERE action = ?
     AND alert_id IN (SELECT d.alert_id FROM delivery d
                       WHERE d.action = ? AND d.state = 'pending' AND d.due IS NOT NULL AND d.due <= ?
                         AND d.alert_id = (SELECT min(e.alert_id) FROM delivery e
                                            WHERE e.action = d.action AND e.lane = d.lane
                                              AND e.state IN ('pending', 'running'))
                       ORDER BY d.due LIMIT ?)
  RETURNING alert_id, state, attempts, lane)",
                                       "", "sissii", "isis"};

/// Up to a number of those behind each claimed head.
inline constexpr Statement kClaimBehind{R"(
  WITH v (lane) AS ({rows})
  UPDATE delivery SET state = 'running', owner = ?, lease_until = ?, attempts = attempts + 1, due = NULL
   WHERE action = ?
     AND alert_id IN (SELECT f.alert_id FROM v JOIN delivery f ON f.action = ? AND f.alert_id IN
                       (SELECT g.alert_id FROM delivery g WHERE g.action = f.action AND g.lane = v.lane
                           AND g.state IN ('pending', 'running') AND g.state = 'pending' ORDER BY g.alert_id LIMIT ?)
                       WHERE v.lane IS NOT NULL)
  RETURNING alert_id, state, attempts, lane)",
                                        "s", "sissi", "isis"};

/// The same for PostgreSQL, which would look at all deliveries for each lane.
inline constexpr Statement kClaimBehindLateral{R"(
  WITH v (lane) AS ({rows})
  UPDATE delivery SET state = 'running', owner = ?, lease_until = ?, attempts = attempts + 1, due = NULL
   WHERE action = ?
     AND alert_id IN (SELECT f.alert_id FROM v CROSS JOIN LATERAL
                       (SELECT g.alert_id FROM delivery g WHERE g.action = ? AND g.lane = v.lane
                           AND g.state IN ('pending', 'running') AND g.state = 'pending' ORDER BY g.alert_id LIMIT ?) f
                       WHERE v.lane IS NOT NULL)
  RETURNING alert_id, state, attempts, lane)",
                                               "s", "sissi", "isis"};

/// The oldest fresh ones enter their lanes. The first of a lane in which nothing is unfinished is due, and runs at once
/// when it is among a given number of such heads.
inline constexpr Statement kClaimFresh{R"(
  UPDATE delivery SET lane = f.alarm, state = CASE f.runs WHEN 1 THEN 'running' ELSE 'pending' END,
                      due = CASE WHEN f.head = 0 OR f.runs = 1 THEN NULL WHEN f.received < CAST(? AS BIGINT)
                                 THEN f.received ELSE CAST(? AS BIGINT) END,
                      attempts = f.runs,
                      owner = CASE f.runs WHEN 1 THEN ? ELSE '' END,
                      lease_until = CASE f.runs WHEN 1 THEN CAST(? AS BIGINT) END
    FROM (SELECT alert_id, alarm, received, head,
                 CASE WHEN head = 1 AND sum(head) OVER (ORDER BY alert_id) <= CAST(? AS BIGINT) THEN 1 ELSE 0 END AS runs
            FROM (SELECT d.alert_id, a.alarm, a.received,
                         CASE WHEN row_number() OVER (PARTITION BY a.alarm ORDER BY d.alert_id) > 1 OR EXISTS
                                   (SELECT 1 FROM delivery e WHERE e.action = d.action AND e.lane = a.alarm
                                                               AND e.state IN ('pending', 'running'))
                              THEN 0 ELSE 1 END AS head
                    FROM (SELECT alert_id, action FROM delivery
                           WHERE action = ? AND state = 'pending' AND lane IS NULL ORDER BY alert_id LIMIT ?) d
                    JOIN alert a ON a.id = d.alert_id) h) f
   WHERE delivery.action = ? AND delivery.alert_id = f.alert_id
  RETURNING delivery.alert_id, delivery.state, delivery.attempts, delivery.lane)",
                                       "", "iisiisis", "isis"};

inline constexpr Statement kReadCallbacks{R"(
  WITH v (id) AS ({rows})
  SELECT a.id, a.received, a.remote_addr, a.token, a.query, a.content_type, a.body, a.test, a.duplicates
    FROM v JOIN alert a ON a.id = CAST(v.id AS BIGINT) WHERE v.id IS NOT NULL)",
                                          "i", "", "iisssssii"};

/// Only what still belongs to the owner; found by its key, which `||` makes PostgreSQL do. `tries` is -1 for one that
/// was given back untried.
inline constexpr Statement kMark{R"(
  WITH v (alert_id, action, state, due, tries) AS ({rows})
  UPDATE delivery SET state = v.state, due = CAST(v.due AS BIGINT), attempts = attempts + CAST(v.tries AS INTEGER),
                      owner = '', lease_until = NULL
    FROM v WHERE delivery.alert_id = CAST(v.alert_id AS BIGINT) AND delivery.action = v.action
             AND delivery.state || delivery.owner = 'running' || ?
  RETURNING delivery.alert_id, delivery.action, delivery.lane, delivery.state)",
                                 "issii", "s", "isss"};

inline constexpr Statement kCountEnded{R"(
  WITH v (action, state, count) AS ({rows})
  INSERT INTO ended (action, state, count)
  SELECT action, state, CAST(count AS BIGINT) FROM v WHERE action IS NOT NULL
  ON CONFLICT (action, state) DO UPDATE SET count = ended.count + excluded.count)",
                                       "ssi", "", ""};

/// A try that was made is made, whoever recorded it: the first record stays.
inline constexpr Statement kPutAttempts{R"(
  WITH v (alert_id, action, number, host, started, duration, outcome, output) AS ({rows})
  INSERT INTO attempt (alert_id, action, number, host, started, duration, outcome, output)
  SELECT CAST(alert_id AS BIGINT), action, CAST(number AS INTEGER), host, CAST(started AS BIGINT),
         CAST(duration AS BIGINT), outcome, output
    FROM v WHERE alert_id IS NOT NULL
  ON CONFLICT DO NOTHING)",
                                        "isisiiss", "", ""};

/// The oldest unfinished of each lane becomes due unless it has a due time or runs.
inline constexpr Statement kSettleLanes{R"(
  WITH v (action, lane) AS ({rows})
  UPDATE delivery SET due = ?
   WHERE state = 'pending' AND due IS NULL
     AND (alert_id, action) IN
         (SELECT (SELECT min(e.alert_id) FROM delivery e WHERE e.action = v.action AND e.lane = v.lane
                                                           AND e.state IN ('pending', 'running')), v.action
            FROM v WHERE v.action IS NOT NULL))",
                                        "ss", "i", ""};

inline constexpr Statement kRenew{R"(
  WITH v (alert_id, action) AS ({rows})
  UPDATE delivery SET lease_until = CAST(? AS BIGINT)
    FROM v WHERE delivery.alert_id = CAST(v.alert_id AS BIGINT) AND delivery.action = v.action
             AND delivery.state || delivery.owner = 'running' || ?)",
                                  "is", "is", ""};
/// What kRenew has just left out of this owner's: never tried.
inline constexpr Statement kEndOthers{R"(
  UPDATE delivery SET state = 'pending', owner = '', lease_until = NULL, due = ?, attempts = attempts - 1
   WHERE state = 'running' AND owner = ? AND lease_until <> ?)",
                                      "", "isi", ""};

/// Of heads, and of what another deliverer leaves when its lease ends.
inline constexpr Statement kNextDue{R"(
  SELECT min(due) FROM
   (SELECT min(due) AS due FROM delivery WHERE action = ? AND state = 'pending' AND due IS NOT NULL
    UNION ALL SELECT min(lease_until) FROM delivery WHERE state = 'running' AND owner <> ?) n)",
                                    "", "ss", "i"};
inline constexpr Statement kOldestFresh{R"(
  SELECT (SELECT received FROM alert WHERE id = (SELECT min(alert_id) FROM delivery
                                                  WHERE action = ? AND state = 'pending' AND lane IS NULL)))",
                                        "", "s", "i"};

// ---- retention

/// What ended and is old, the oldest first, and undecodable ones beyond the newest 1,000. `0 = count`, and a limit for
/// the old ones: PostgreSQL would make a join of NOT EXISTS, and either database would first read all that is old.
inline constexpr Statement kExpired{R"(
  SELECT a.id, a.alarm,
         CASE WHEN EXISTS (SELECT 1 FROM delivery d WHERE d.alert_id = a.id AND d.state = 'failed') THEN 1 ELSE 0 END
    FROM (SELECT id, alarm FROM alert
           WHERE received < ? AND 0 = (SELECT count(*) FROM delivery d
                                        WHERE d.alert_id = alert.id AND d.state IN ('pending', 'running'))
           ORDER BY received LIMIT ?) a
  UNION
  SELECT id, alarm, 0 FROM alert
   WHERE undecodable <> '' AND id <= (SELECT id FROM alert WHERE undecodable <> ''
                                       ORDER BY id DESC LIMIT 1 OFFSET 1000)
   LIMIT ?)",
                                    "", "iii", "isi"};
inline constexpr Statement kDeleteAttempts{R"(
  WITH v (id) AS ({rows}) DELETE FROM attempt WHERE alert_id IN (SELECT CAST(id AS BIGINT) FROM v))",
                                           "i", "", ""};
inline constexpr Statement kDeleteDeliveries{R"(
  WITH v (id) AS ({rows}) DELETE FROM delivery WHERE alert_id IN (SELECT CAST(id AS BIGINT) FROM v)
  RETURNING action, state)",
                                             "i", "", "ss"};
inline constexpr Statement kDeleteAlerts{R"(
  WITH v (id) AS ({rows})
  DELETE FROM alert WHERE id IN (SELECT CAST(id AS BIGINT) FROM v)
     AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.alert_id = alert.id AND d.state IN ('pending', 'running'))
  RETURNING id, alarm)",
                                         "i", "", "is"};
inline constexpr Statement kDeleteAlarms{R"(
  WITH v (id) AS ({rows}) DELETE FROM alarm WHERE id IN (SELECT id FROM v) AND seen < ?)",
                                         "s", "i", ""};

// ---- processes

inline constexpr Statement kAnnounce{R"(
  INSERT INTO process (role, host, pid, started, heard, actions, note) VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (role, host, pid) DO UPDATE SET started = excluded.started, heard = excluded.heard,
                                              actions = excluded.actions, note = excluded.note)",
                                     "", "ssiiiss", ""};
inline constexpr Statement kLeave{"DELETE FROM process WHERE role = ? AND host = ? AND pid = ?", "", "ssi", ""};
/// Those that ended without a word, a day later.
inline constexpr Statement kForgetProcesses{"DELETE FROM process WHERE heard < ?", "", "i", ""};

// ---- copy

/// What a copy takes: all but `meta` and `process`. The first columns are the key.
struct Table {
  const char* name;
  const char* columns;
  const char* types;
  std::size_t key_columns;
};
inline constexpr Table kCopied[] = {
    {"alert",
     "id received remote_addr token query content_type body sent digest alarm severity test undecodable unmatched "
     "duplicates",
     "iisssssisssisii", 1},
    {"delivery", "alert_id action lane state due attempts owner lease_until", "isssiisi", 2},
    {"ended", "action state count", "ssi", 2},
    {"attempt", "alert_id action number host started duration outcome output", "isisiiss", 3},
    {"alarm", "id fires severity since seen following", "sisiis", 1},
    {"refusal", "reason allowed count last address", "siiis", 2},
};

/// A closed spool has its alerts under another name: also a process that had it open before finds none, and opens it
/// again, which is refused.
inline constexpr const char* kClosedAlert = "closed_alert";
inline constexpr const char* kClose = "ALTER TABLE alert RENAME TO closed_alert";
inline constexpr const char* kReopen = "ALTER TABLE closed_alert RENAME TO alert";
inline constexpr Statement kSetVersion{"UPDATE meta SET version = ?", "", "i", ""};

/// The other spool of the copy, while this one is closed. Never too old to be remembered.
inline constexpr Statement kReadPeer{"SELECT note FROM process WHERE role = 'copy'", "", "", "s"};
inline constexpr Statement kForgetPeer{"DELETE FROM process WHERE role = 'copy'", "", "", ""};
inline constexpr Statement kWritePeer{R"(
  INSERT INTO process (role, host, pid, started, heard, actions, note)
  VALUES ('copy', '', 0, 0, 9223372036854775807, '', ?))",
                                      "", "s", ""};

// ---- operator

/// records.cc adds what narrows the list down.
inline constexpr const char* kListColumns =
    "SELECT id, received, remote_addr, token, query, content_type, body, test, duplicates, alarm, severity, "
    "undecodable "
    "FROM alert WHERE id < ? AND received >= ? AND received < ?";
inline constexpr const char* kListTypes = "iisssssiisss";

inline constexpr Statement kReadDeliveries{R"(
  WITH v (id) AS ({rows})
  SELECT d.alert_id, d.action, d.state, d.attempts, CASE WHEN d.lane IS NULL THEN r.received ELSE d.due END, a.outcome,
         a.output
    FROM v JOIN delivery d ON d.alert_id = CAST(v.id AS BIGINT) JOIN alert r ON r.id = d.alert_id
    LEFT JOIN attempt a ON a.alert_id = d.alert_id AND a.action = d.action
                       AND a.number = (SELECT max(m.number) FROM attempt m
                                        WHERE m.alert_id = d.alert_id AND m.action = d.action)
   WHERE v.id IS NOT NULL ORDER BY d.alert_id, d.action)",
                                           "i", "", "issiiss"};

inline constexpr Statement kReadAttempts{R"(
  SELECT action, number, host, started, duration, outcome, output FROM attempt WHERE alert_id = ?
   ORDER BY action, number)",
                                         "", "i", "sisiiss"};

/// Fresh ones are due already; they enter their lane in their turn.
inline constexpr Statement kRetry{R"(
  WITH v (id) AS ({rows})
  UPDATE delivery SET state = 'pending', due = CASE WHEN lane IS NOT NULL THEN CAST(? AS BIGINT) END
   WHERE alert_id IN (SELECT CAST(id AS BIGINT) FROM v) AND (action = ? OR ? = '') AND state IN ('pending', 'failed')
  RETURNING alert_id)",
                                  "i", "iss", "i"};
inline constexpr Statement kDrop{R"(
  WITH v (id) AS ({rows})
  UPDATE delivery SET state = 'dropped', due = NULL
   WHERE alert_id IN (SELECT CAST(id AS BIGINT) FROM v) AND (action = ? OR ? = '') AND state IN ('pending', 'failed')
  RETURNING action, lane)",
                                 "i", "ss", "ss"};
inline constexpr Statement kDropUndecodable{R"(
  WITH v (id) AS ({rows})
  DELETE FROM alert WHERE id IN (SELECT CAST(id AS BIGINT) FROM v) AND undecodable <> '' RETURNING id)",
                                            "i", "", "i"};

inline constexpr Statement kCountAlerts{R"(
  SELECT (SELECT count(*) FROM alert), (SELECT count(*) FROM alert WHERE unmatched = 1),
         (SELECT count(*) FROM alert WHERE undecodable <> ''), (SELECT max(received) FROM alert))",
                                        "", "", "iiii"};
/// With the oldest alert of those that wait or run. By the indexes alone: of all that wait in lanes those are taken
/// away that run.
inline constexpr Statement kCountDeliveries{R"(
  SELECT action, state, CAST(sum(count) AS BIGINT), min(oldest) FROM
   (SELECT action, state, count, CAST(NULL AS BIGINT) AS oldest FROM ended
    UNION ALL SELECT action, 'pending', count(*), min(alert_id) FROM delivery
               WHERE state = 'pending' AND lane IS NULL GROUP BY action
    UNION ALL SELECT action, 'pending', count(*), min(alert_id) FROM delivery
               WHERE state IN ('pending', 'running') AND lane IS NOT NULL GROUP BY action
    UNION ALL SELECT action, 'pending', -count(*), NULL FROM delivery WHERE state = 'running' GROUP BY action
    UNION ALL SELECT action, 'running', count(*), min(alert_id) FROM delivery WHERE state = 'running' GROUP BY action
    UNION ALL SELECT action, 'failed', count(*), NULL FROM delivery WHERE state = 'failed' GROUP BY action) n
   GROUP BY action, state HAVING sum(count) <> 0 ORDER BY action, state)",
                                            "", "", "ssii"};
inline constexpr Statement kReadReceived{"SELECT received FROM alert WHERE id = ?", "", "i", "i"};
inline constexpr Statement kReadRefusals{"SELECT reason, allowed, count, last, address FROM refusal ORDER BY reason",
                                         "", "", "siiis"};
inline constexpr Statement kReadProcesses{
    "SELECT role, host, pid, started, heard, actions, note FROM process ORDER BY role, host, pid", "", "", "ssiiiss"};

}  // namespace alertspool::sql
