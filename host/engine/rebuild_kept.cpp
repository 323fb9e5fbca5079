// SPDX-License-Identifier: Apache-2.0
// What a rebuild does about tables whose rows stay.
#include "engine/rebuild_run.hpp"

#include <algorithm>

namespace weir::engine {

// The shadow remembers which tables stayed when it was begun: what was decided in it was decided by that.
void RebuildRun::keep_tables(bool is_new) {
    const std::vector<std::string> names = live_->route_tables(tables_);
    if (is_new && !names.empty()) {
        const auto session = shadow_->open();
        session->begin({});
        for (std::uint32_t table = 0; table < tables_.tables.size(); ++table) {
            if (std::find(names.begin(), names.end(), tables_.tables[table].name) != names.end()) {
                session->note_route_change(table);
            }
        }
        session->commit();
    }
    kept_ = std::make_shared<KeptTables>(tables_, shadow_->route_tables(tables_));
    check_kept_tables();
    if (!kept_->names().empty()) {
        feed_.tell(kept_);
    }
}

void RebuildRun::check_kept_tables() const {
    for (const std::string &table : live_->route_tables(tables_)) {
        if (std::find(kept_->names().begin(), kept_->names().end(), table) == kept_->names().end()) {
            throw RebuildRefused("a route has changed table " + table +
                                 " for the first time since the shadow was begun, and the table's rows are to stay from now on: remove the "
                                 "shadow with 'weir rebuild " +
                                 spec_.name + " --cancel', then begin anew");
        }
    }
}

std::string RebuildRun::refused_swap(const std::string &reason) const {
    std::string tables;
    for (const std::string &table : kept_->names()) {
        tables += (tables.empty() ? "" : ", ") + table;
    }
    return "the new rows can't take the place of the old ones: " + reason + ". " +
           (tables.empty() ? "What isn't the domain's own, such as another table that refers to its rows, stands in the way"
                           : "The rows of " + tables +
                                 " stay as they are, because routes change them: where one of them stands in the way, change it, and do it "
                                 "again; what isn't the domain's own, such as another table that refers to its rows, may do so too");
}

} // namespace weir::engine
