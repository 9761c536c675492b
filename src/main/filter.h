/// Filter: the FILTER options of list, retry and drop, and the alerts that they select.

#pragma once

#include "alert/alert.h"
#include "alert/route.h"
#include "base/time.h"
#include "main/verb.h"
#include "store/types.h"

#include <functional>
#include <vector>

namespace alertspool {

class Store;

struct Selection {
  Filter filter;               ///< what the spool can select; its limit is the size of a page
  std::vector<Match> matches;  ///< what only the decoded alert can say: all of them must match
};

/// The verb's own options and the FILTER options.
std::vector<OptionSpec> with_filter_options(std::vector<OptionSpec> own);

/// Whether any FILTER option was given; `--action` does not count, it also narrows what ids select.
bool has_filter(const Arguments& arguments);

/// `--since` and `--until` are times or ages (`2h`: two hours before `now`). Throws UsageError.
Selection selection_of(const Arguments& arguments, WallTime now);

/// Calls `each` for every selected alert, newest first, until it returns false.
void for_each(Store& store, const Selection& selection, const std::function<bool(const Record&, const Alert&)>& each);

/// Positional arguments as ids, ascending, each once. Throws UsageError.
std::vector<std::int64_t> ids_of(const Arguments& arguments);

}  // namespace alertspool
