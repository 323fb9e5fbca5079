// SPDX-License-Identifier: Apache-2.0
#include "plugin/elf_file.hpp"

#include "plugin/elf_image.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <elf.h>
#include <link.h>
#include <utility>

namespace weir::plugin {

namespace {

using Header = ElfW(Ehdr);
using Segment = ElfW(Phdr);
using Section = ElfW(Shdr);
using Dynamic = ElfW(Dyn);
using Symbol = ElfW(Sym);

constexpr std::uint64_t kMaxNamesTogether = 64u << 20; ///< a damaged table can name the same long text again and again

class Reader {
public:
    Reader(ElfImage image, ElfFile &out) : image_(image), out_(out) {}

    void read() {
        read_header();
        read_sections();
        read_segments();
        read_dynamic();
        read_names();
        read_symbols();
    }

private:
    void read_header() {
        if (!image_.holds(0, EI_NIDENT)) {
            throw ElfFaultThrown{ElfFault::Kind::not_elf, "it is too short for an ELF header"};
        }
        const auto ident = image_.at<std::array<unsigned char, EI_NIDENT>>(0, "the ELF identification");
        if (std::memcmp(ident.data(), ELFMAG, SELFMAG) != 0) {
            throw ElfFaultThrown{ElfFault::Kind::not_elf, "it does not begin with the ELF magic number"};
        }
        out_.file_class = ident[EI_CLASS];
        out_.byte_order = ident[EI_DATA];
        // e_type and e_machine stand at the same place in both classes.
        std::uint16_t type = image_.at<std::uint16_t>(offsetof(Header, e_type), "the ELF header");
        std::uint16_t machine = image_.at<std::uint16_t>(offsetof(Header, e_machine), "the ELF header");
        if (out_.byte_order != native_byte_order()) {
            type = static_cast<std::uint16_t>((type << 8) | (type >> 8));
            machine = static_cast<std::uint16_t>((machine << 8) | (machine >> 8));
        }
        out_.type = type;
        out_.machine = machine;
        if (out_.file_class != native_class() || out_.byte_order != native_byte_order() || machine != native_machine()) {
            throw ElfFaultThrown{ElfFault::Kind::foreign, "it is built for " + machine_name(machine)};
        }
        if (ident[EI_VERSION] != EV_CURRENT) {
            damaged("its ELF version is unknown");
        }
        header_ = image_.at<Header>(0, "the ELF header");
    }

    /// Not needed to load a file, but the linker writes them last: where they are missing, so is the end of the file.
    void read_sections() {
        if (header_.e_shoff == 0 || header_.e_shnum == 0) {
            return; // stripped of its section headers
        }
        if (header_.e_shentsize != sizeof(Section)) {
            damaged("its section headers have a wrong size");
        }
        if (!image_.holds(header_.e_shoff, std::uint64_t{header_.e_shnum} * sizeof(Section))) {
            truncated("its section headers lie beyond the end of the file");
        }
        const auto section = [&](std::uint64_t index) {
            return image_.at<Section>(header_.e_shoff + index * sizeof(Section), "a section header");
        };
        bool all_zero = header_.e_shnum > 1;
        for (std::uint64_t index = 0; index < header_.e_shnum; ++index) {
            const Section each = section(index);
            all_zero = all_zero && each.sh_type == SHT_NULL;
            if (each.sh_type != SHT_NULL && each.sh_type != SHT_NOBITS && !image_.holds(each.sh_offset, each.sh_size)) {
                truncated("section " + std::to_string(index) + " lies beyond the end of the file");
            }
        }
        if (all_zero) {
            truncated("its section headers are not written yet");
        }
        if (header_.e_shstrndx < header_.e_shnum && section(header_.e_shstrndx).sh_type != SHT_STRTAB) {
            damaged("its section names are missing");
        }
    }

    void read_segments() {
        if (header_.e_phentsize != sizeof(Segment) || header_.e_phnum == 0 || header_.e_phnum == PN_XNUM) {
            damaged("it has no program headers");
        }
        if (!image_.holds(header_.e_phoff, std::uint64_t{header_.e_phnum} * sizeof(Segment))) {
            truncated("its program headers lie beyond the end of the file");
        }
        for (std::uint64_t index = 0; index < header_.e_phnum; ++index) {
            const auto segment = image_.at<Segment>(header_.e_phoff + index * sizeof(Segment), "a program header");
            if (segment.p_type == PT_LOAD) {
                add_load(segment);
            } else if (segment.p_type == PT_DYNAMIC) {
                dynamic_ = segment;
                has_dynamic_ = true;
            }
        }
        if (loads_.empty()) {
            damaged("it has nothing to load");
        }
    }

    /// A segment that reaches past the end of the file would be mapped, and touching it is a SIGBUS: refused here.
    void add_load(const Segment &segment) {
        if (!image_.holds(segment.p_offset, segment.p_filesz)) {
            truncated("a segment to load lies beyond the end of the file");
        }
        if (segment.p_memsz < segment.p_filesz || segment.p_vaddr > UINT64_MAX - segment.p_memsz) {
            damaged("a segment to load has an impossible size");
        }
        const std::uint64_t page = 4096;
        if (segment.p_vaddr % page != segment.p_offset % page) {
            damaged("a segment to load is not aligned to pages");
        }
        if (!loads_.empty() && segment.p_vaddr < loads_.back().p_vaddr) {
            damaged("its segments to load are out of order");
        }
        loads_.push_back(segment);
    }

    /// The file offset of an address, and how many bytes of the file follow it in its segment.
    std::optional<std::pair<std::uint64_t, std::uint64_t>> locate(std::uint64_t address) const {
        for (const Segment &segment : loads_) {
            if (address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz) {
                const std::uint64_t into = address - segment.p_vaddr;
                return std::pair{segment.p_offset + into, segment.p_filesz - into};
            }
        }
        return std::nullopt;
    }

    void read_dynamic() {
        if (!has_dynamic_) {
            damaged("it has no dynamic section, so it is not a shared library");
        }
        const auto place = locate(dynamic_.p_vaddr);
        if (!place || !image_.holds(dynamic_.p_offset, dynamic_.p_filesz)) {
            truncated("its dynamic section lies beyond the end of the file");
        }
        const std::uint64_t count = std::min<std::uint64_t>(dynamic_.p_filesz, place->second) / sizeof(Dynamic);
        for (std::uint64_t index = 0; index < count; ++index) {
            const auto entry = image_.at<Dynamic>(place->first + index * sizeof(Dynamic), "the dynamic section");
            if (entry.d_tag == DT_NULL) {
                return;
            }
            take(entry);
        }
        damaged("its dynamic section has no end");
    }

    void take(const Dynamic &entry) {
        const std::uint64_t value = entry.d_un.d_val;
        switch (entry.d_tag) {
        case DT_STRTAB:
            strings_ = value;
            break;
        case DT_STRSZ:
            strings_size_ = value;
            break;
        case DT_SYMTAB:
            symbols_ = value;
            break;
        case DT_SYMENT:
            symbol_size_ = value;
            break;
        case DT_HASH:
            hash_ = value;
            break;
        case DT_GNU_HASH:
            gnu_hash_ = value;
            break;
        case DT_NEEDED:
            needed_.push_back(value);
            break;
        case DT_SONAME:
            soname_ = value;
            break;
        case DT_RPATH:
            rpath_ = value;
            break;
        case DT_RUNPATH:
            runpath_ = value;
            break;
        case DT_FLAGS_1:
            out_.flags_1 = value;
            break;
        default:
            break;
        }
    }

    void read_names() {
        const auto place = strings_ ? locate(*strings_) : std::nullopt;
        if (!place || strings_size_ == 0 || strings_size_ > place->second) {
            damaged("its dynamic string table is missing or cut off");
        }
        text_begin_ = place->first;
        text_end_ = place->first + strings_size_;
        for (const std::uint64_t offset : needed_) {
            out_.needed.emplace_back(name(offset, "the name of a needed library"));
        }
        if (soname_) {
            out_.soname = name(*soname_, "its own name");
        }
        if (rpath_) {
            out_.rpath = name(*rpath_, "its RPATH");
        }
        if (runpath_) {
            out_.runpath = name(*runpath_, "its RUNPATH");
        }
    }

    std::string_view name(std::uint64_t offset, const char *what) const {
        if (offset >= text_end_ - text_begin_) {
            damaged(std::string(what) + " lies outside of the string table");
        }
        return image_.text(text_begin_ + offset, text_end_, what);
    }

    /// The dynamic symbol table carries no length of its own; the hash tables tell it, else the section headers.
    std::uint64_t symbol_count(std::uint64_t available) const {
        if (hash_) {
            const auto place = locate(*hash_);
            if (!place || place->second < 2 * sizeof(std::uint32_t)) {
                damaged("its symbol hash table is missing");
            }
            return image_.at<std::uint32_t>(place->first + sizeof(std::uint32_t), "the symbol hash table");
        }
        if (gnu_hash_) {
            return gnu_symbol_count(available);
        }
        for (std::uint64_t index = 0; header_.e_shoff != 0 && index < header_.e_shnum; ++index) {
            const auto section = image_.at<Section>(header_.e_shoff + index * sizeof(Section), "a section header");
            if (section.sh_type == SHT_DYNSYM) {
                return section.sh_size / sizeof(Symbol);
            }
        }
        // Without any of them, the string table usually follows the symbols.
        const auto symbols = locate(*symbols_);
        return symbols && text_begin_ > symbols->first ? (text_begin_ - symbols->first) / sizeof(Symbol) : 0;
    }

    std::uint64_t gnu_symbol_count(std::uint64_t available) const {
        const auto place = locate(*gnu_hash_);
        if (!place || place->second < 4 * sizeof(std::uint32_t)) {
            damaged("its GNU symbol hash table is missing");
        }
        const std::uint64_t end = place->first + place->second;
        const auto word = [&](std::uint64_t offset) {
            if (offset > end - sizeof(std::uint32_t)) {
                damaged("its GNU symbol hash table is cut off");
            }
            return image_.at<std::uint32_t>(offset, "the GNU symbol hash table");
        };
        const std::uint64_t buckets = word(place->first);
        const std::uint64_t first = word(place->first + 4);
        const std::uint64_t bloom = word(place->first + 8);
        const std::uint64_t bucket_begin = place->first + 16 + bloom * sizeof(ElfW(Addr));
        std::uint64_t last = 0;
        for (std::uint64_t index = 0; index < buckets; ++index) {
            last = std::max<std::uint64_t>(last, word(bucket_begin + index * 4));
        }
        if (last < first) {
            return first; // nothing is exported
        }
        const std::uint64_t chain = bucket_begin + buckets * 4;
        for (; last < available; ++last) {
            if (word(chain + (last - first) * 4) & 1u) {
                return last + 1;
            }
        }
        damaged("its GNU symbol hash table has no end");
    }

    void read_symbols() {
        const auto place = symbols_ ? locate(*symbols_) : std::nullopt;
        if (!place || symbol_size_ != sizeof(Symbol)) {
            damaged("its dynamic symbol table is missing");
        }
        const std::uint64_t available = place->second / sizeof(Symbol);
        const std::uint64_t count = symbol_count(available);
        if (count > available) {
            damaged("its dynamic symbol table is cut off");
        }
        for (std::uint64_t index = 1; index < count; ++index) {
            add_symbol(image_.at<Symbol>(place->first + index * sizeof(Symbol), "the dynamic symbol table"));
        }
        for (auto *list : {&out_.functions, &out_.unique}) {
            std::sort(list->begin(), list->end());
            list->erase(std::unique(list->begin(), list->end()), list->end());
        }
    }

    void add_symbol(const Symbol &symbol) {
        const auto binding = ELF64_ST_BIND(symbol.st_info);
        const auto visibility = ELF64_ST_VISIBILITY(symbol.st_other);
        const bool exported = (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE) &&
                              (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
        if (symbol.st_shndx == SHN_UNDEF || !exported) {
            return;
        }
        if (binding == STB_GNU_UNIQUE) {
            keep(out_.unique, symbol);
        } else if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && executable(symbol.st_value)) {
            keep(out_.functions, symbol);
        }
    }

    void keep(std::vector<std::string> &list, const Symbol &symbol) {
        const std::string_view text = name(symbol.st_name, "the name of a symbol");
        names_bytes_ += text.size();
        if (names_bytes_ > kMaxNamesTogether) {
            damaged("the names of its symbols are impossibly long");
        }
        list.emplace_back(text);
    }

    /// A function whose address is not code would crash at its first call.
    bool executable(std::uint64_t address) const {
        return std::any_of(loads_.begin(), loads_.end(), [&](const Segment &segment) {
            return (segment.p_flags & PF_X) != 0 && address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz;
        });
    }

    ElfImage image_;
    ElfFile &out_;
    Header header_{};
    Segment dynamic_{};
    bool has_dynamic_ = false;
    std::vector<Segment> loads_;
    std::optional<std::uint64_t> strings_, symbols_, hash_, gnu_hash_, soname_, rpath_, runpath_;
    std::uint64_t strings_size_ = 0;
    std::uint64_t symbol_size_ = 0;
    std::uint64_t names_bytes_ = 0;
    std::vector<std::uint64_t> needed_;
    std::uint64_t text_begin_ = 0;
    std::uint64_t text_end_ = 0;
};

} // namespace

std::optional<ElfFault> read_elf(std::span<const std::byte> bytes, ElfFile &out) {
    out = {};
    try {
        Reader(ElfImage(bytes), out).read();
    } catch (const ElfFaultThrown &fault) {
        return ElfFault{fault.kind, fault.reason};
    }
    return std::nullopt;
}

} // namespace weir::plugin
