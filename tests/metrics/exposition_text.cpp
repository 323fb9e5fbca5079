// SPDX-License-Identifier: Apache-2.0
#include "exposition_text.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <regex>
#include <sstream>
#include <unistd.h>

namespace weir::test {

namespace {

/// Reads one line of a sample: name{label="value",...} value
class Line {
public:
    explicit Line(const std::string &text) : text_(text) {}

    bool read(std::string &name, ExpositionText::Labels &labels, double &value) {
        name = word();
        if (name.empty()) {
            return false;
        }
        if (take('{')) {
            while (!take('}')) {
                const std::string label = word();
                std::string content;
                if (label.empty() || !take('=') || !quoted(content) || !labels.emplace(label, content).second) {
                    return false;
                }
                if (!take(',') && (at_ >= text_.size() || text_[at_] != '}')) {
                    return false;
                }
            }
        }
        return take(' ') && number(value) && at_ == text_.size();
    }

private:
    bool take(char wanted) {
        const bool is = at_ < text_.size() && text_[at_] == wanted;
        at_ += is ? 1 : 0;
        return is;
    }
    std::string word() {
        const std::size_t from = at_;
        while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_')) {
            ++at_;
        }
        return text_.substr(from, at_ - from);
    }
    bool quoted(std::string &out) {
        if (!take('"')) {
            return false;
        }
        while (at_ < text_.size() && text_[at_] != '"') {
            if (text_[at_] == '\\') {
                ++at_;
                const char escaped = at_ < text_.size() ? text_[at_] : '\0';
                if (escaped != '\\' && escaped != '"' && escaped != 'n') {
                    return false;
                }
                out += escaped == 'n' ? '\n' : escaped;
            } else {
                out += text_[at_];
            }
            ++at_;
        }
        return take('"');
    }
    bool number(double &value) {
        const std::string rest = text_.substr(at_);
        at_ = text_.size();
        if (rest == "+Inf") {
            value = std::numeric_limits<double>::infinity();
            return true;
        }
        char *end = nullptr;
        value = std::strtod(rest.c_str(), &end);
        return !rest.empty() && *end == '\0' && rest.find_first_not_of("0123456789+-.eE") == std::string::npos;
    }

    const std::string &text_;
    std::size_t at_ = 0;
};

/// The family that a sample belongs to, and which part of it: "", "_bucket", "_sum" or "_count".
std::string family_of(const ExpositionText &page, const std::string &name, std::string &part) {
    for (const char *suffix : {"_bucket", "_sum", "_count"}) {
        const std::string ending = suffix;
        if (name.ends_with(ending)) {
            const std::string family = name.substr(0, name.size() - ending.size());
            if (const auto found = page.families.find(family); found != page.families.end() && found->second.type == "histogram") {
                part = ending;
                return family;
            }
        }
    }
    part.clear();
    return name;
}

void check_histograms(ExpositionText &page) {
    for (const auto &[name, family] : page.families) {
        for (const auto &[labels, buckets] : family.buckets) {
            double before = 0;
            for (const auto &[bound, count] : buckets) {
                if (count < before) {
                    page.problems.push_back(name + ": buckets that are not cumulative");
                }
                before = count;
            }
            const auto count = family.counts.find(labels);
            if (buckets.empty() || !std::isinf(buckets.rbegin()->first) || count == family.counts.end() || count->second != before ||
                !family.sums.contains(labels)) {
                page.problems.push_back(name + ": no +Inf bucket, sum or count, or they disagree");
            }
        }
    }
}

void check_conventions(ExpositionText &page) {
    static const std::regex name_rule("(weir|process)_[a-z0-9_]+");
    for (const auto &[name, family] : page.families) {
        if (!std::regex_match(name, name_rule)) {
            page.problems.push_back(name + ": not a name of ours");
        }
        if ((family.type == "counter") != name.ends_with("_total")) {
            page.problems.push_back(name + ": counters, and only they, end in _total");
        }
        for (const char *unit : {"_ms", "_milliseconds", "_minutes", "_kib", "_percent"}) {
            if (name.find(unit) != std::string::npos) {
                page.problems.push_back(name + ": not a base unit");
            }
        }
        if (family.help.size() < 5 || !family.help.ends_with(".")) {
            page.problems.push_back(name + ": no sentence of help");
        }
    }
}

} // namespace

double ExpositionText::value(const std::string &family, const Labels &labels) const {
    const auto found = families.find(family);
    if (found == families.end() || !found->second.samples.contains(labels)) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    return found->second.samples.at(labels);
}

ExpositionText read_exposition(const std::string &text) {
    ExpositionText page;
    std::string current;
    if (text.empty() || text.back() != '\n') {
        page.problems.emplace_back("the last line doesn't end");
    }
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        const auto refuse = [&](const std::string &why) { page.problems.push_back(why + ": " + line); };
        std::istringstream words(line);
        if (line.starts_with("# ")) {
            std::string mark;
            std::string kind;
            std::string name;
            words >> mark >> kind >> name;
            std::string rest;
            std::getline(words >> std::ws, rest);
            if (kind == "HELP") {
                if (!page.families.emplace(name, ExpositionText::Family{}).second) {
                    refuse("a family that is there already");
                }
                page.families[name].help = rest;
            } else if (kind == "TYPE") {
                if (!page.families.contains(name) || !page.families[name].type.empty()) {
                    refuse("a type that doesn't follow its help");
                }
                page.families[name].type = rest;
            } else {
                refuse("a comment");
            }
            current = name;
            continue;
        }
        std::string name;
        ExpositionText::Labels labels;
        double value = 0;
        if (!Line(line).read(name, labels, value)) {
            refuse("not understood");
            continue;
        }
        std::string part;
        const std::string owner = family_of(page, name, part);
        if (owner != current || !page.families.contains(owner)) {
            refuse("a sample outside of its family");
            continue;
        }
        ExpositionText::Family &family = page.families[owner];
        bool fresh = false;
        if (part == "_bucket") {
            const std::string bound = labels.contains("le") ? labels["le"] : "";
            labels.erase("le");
            const double upper = bound == "+Inf" ? std::numeric_limits<double>::infinity() : std::strtod(bound.c_str(), nullptr);
            fresh = !bound.empty() && family.buckets[labels].emplace(upper, value).second;
        } else if (part == "_sum") {
            fresh = family.sums.emplace(labels, value).second;
        } else if (part == "_count") {
            fresh = family.counts.emplace(labels, value).second;
        } else {
            fresh = family.type != "histogram" && family.samples.emplace(labels, value).second;
        }
        if (!fresh || (family.type == "counter" && value < 0)) {
            refuse("twice, or not of its type");
        }
    }
    check_histograms(page);
    check_conventions(page);
    return page;
}

std::set<std::string> metrics_named_in(const std::string &text, const std::set<std::string> &histograms) {
    static const std::regex names("\\b(weir|process)_[a-z0-9_]+\\b");
    std::set<std::string> found;
    for (std::sregex_iterator at(text.begin(), text.end(), names), end; at != end; ++at) {
        std::string name = at->str();
        for (const char *suffix : {"_bucket", "_sum", "_count"}) {
            const std::string ending = suffix;
            if (name.ends_with(ending) && histograms.contains(name.substr(0, name.size() - ending.size()))) {
                name.resize(name.size() - ending.size());
            }
        }
        found.insert(name);
    }
    return found;
}

bool has_promtool() { return std::system("command -v promtool >/dev/null 2>&1") == 0; }

std::string promtool(const std::string &arguments) {
    std::string said;
    FILE *out = has_promtool() ? popen(("promtool " + arguments + " 2>&1").c_str(), "r") : nullptr;
    if (out != nullptr) {
        char part[512];
        while (std::fgets(part, sizeof part, out) != nullptr) {
            said += part;
        }
        const int status = pclose(out);
        said = status == 0 ? "" : said + " (status " + std::to_string(status) + ")";
    }
    return said;
}

std::string said_by_promtool(const std::string &text) {
    if (!has_promtool()) {
        return {};
    }
    std::string file = (std::filesystem::temp_directory_path() / "weir-metrics-XXXXXX").string();
    const int made = mkstemp(file.data());
    if (made < 0) {
        return "no temporary file";
    }
    close(made);
    std::ofstream(file) << text;
    std::string said = promtool("check metrics < " + file);
    std::filesystem::remove(file);
    return said;
}

} // namespace weir::test
