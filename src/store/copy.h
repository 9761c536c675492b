/// copy_spool(): moves what one store holds to another one, whatever their databases are.
///
/// The target is closed from the first moment until it holds all, the source from then on: no receiver and no deliverer
/// opens a closed spool, and who has it open finds its alerts gone. So two of them are never in use, and none is half
/// full. The source is closed first; a copy that is cut off in between is ended by the next one.
///
/// It copies ahead while receivers store, then excludes them and goes through all of it again: what differs in the
/// target is written anew, and counts and digests of both sides are compared. A copy that was cut off is continued in
/// the same way, and so is one back into the spool that it came from.

#pragma once

#include "store/store.h"

#include <functional>

namespace alertspool {

struct Copied {
  enum class End {
    moved,    ///< the target holds all and is open, the source is closed. Without `tables`: they were so before
    served,   ///< nothing was done: a deliverer of the source is alive
    refused,  ///< the source is as it was; `why`
  };
  struct Table {
    std::string name;
    std::int64_t rows = 0;
  };
  End end = End::moved;
  std::string why = {};
  std::vector<Table> tables = {};
  std::string digest = {};  ///< SHA-256 over all rows, in hex
};

/// Called after each portion, with how many rows of that table are done. What it throws ends the copy.
using CopyProgress = std::function<void(const std::string& table, std::int64_t rows)>;

/// `host` is ours: it tells files of the same name apart. Throws StoreError; call it again then.
Copied copy_spool(const StoreSettings& from, const StoreSettings& to, const std::string& host, const Clock& clock,
                  const CopyProgress& progress);

/// What the other side of a copy is called: its URL without passwords, and the host of a file.
std::string copy_name(const std::string& url, const std::string& host);

}  // namespace alertspool
