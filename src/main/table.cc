#include "main/table.h"

#include "base/text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <numeric>

namespace alertspool {
namespace {

constexpr std::size_t kNarrowest = 4;  // three characters and the ellipsis

// Unicode 15 in blocks, each as its first character and the one after its last: East_Asian_Width W and F (of the emoji
// what is common), and characters that take no column.
constexpr std::array<char32_t, 24> kWide{0x1100, 0x1160, 0x2e80, 0x303f, 0x3041,  0x4dc0,  0x4e00,  0xa4d0,
                                         0xa960, 0xa97d, 0xac00, 0xd7a4, 0xf900,  0xfb00,  0xfe30,  0xfe70,
                                         0xff01, 0xff61, 0xffe0, 0xffe7, 0x1f300, 0x1f650, 0x1f900, 0x3fffe};
constexpr std::array<char32_t, 10> kNoColumn{0x0300, 0x0370, 0x200b, 0x2010,  0x20d0,
                                             0x2100, 0xfe00, 0xfe10, 0xe0100, 0xe01f0};

bool is_in(const auto& bounds, char32_t c) noexcept {
  return (std::upper_bound(bounds.begin(), bounds.end(), c) - bounds.begin()) % 2 == 1;
}

/// Takes one character off valid UTF-8 and returns the columns it needs.
std::size_t take_character(std::string_view& text, std::string_view& character) noexcept {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t announced = byte(0) < 0xc0 ? 1 : byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
  const std::size_t length = std::min(announced, text.size());
  char32_t c = length == 1 ? byte(0) : byte(0) & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) c = (c << 6U) | (byte(i) & 0x3fU);
  character = text.substr(0, length);
  text.remove_prefix(length);
  return is_in(kWide, c) ? 2 : is_in(kNoColumn, c) ? 0 : 1;
}

bool use_colour() noexcept {
  const char* no_color = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0');
}

std::string padded(const std::string& text, std::size_t width, bool number) {
  const std::string blanks(width - std::min(width, display_width(text)), ' ');
  return number ? blanks + paint(text, colour_of(text)) : paint(text, colour_of(text)) + blanks;
}

}  // namespace

std::string paint(std::string text, Colour colour) {
  static constexpr std::array<const char*, 5> kCodes{"", "\033[31m", "\033[33m", "\033[32m", "\033[1m"};
  if (colour == Colour::none || !use_colour()) return text;
  return kCodes.at(static_cast<std::size_t>(colour)) + std::move(text) + "\033[0m";
}

Colour colour_of(std::string_view state) noexcept {
  if (state == "failed" || state == "undecodable" || state == "CRITICAL") return Colour::red;
  if (state == "pending" || state == "running" || state == "unmatched" || state == "WARN") return Colour::yellow;
  return state == "delivered" ? Colour::green : Colour::none;
}

std::size_t screen_width() noexcept {
  winsize size{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

std::size_t display_width(std::string_view text) noexcept {
  std::size_t width = 0;
  for (std::string_view character; !text.empty();) width += take_character(text, character);
  return width;
}

std::string cut(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  std::string kept;
  std::string_view character;
  for (std::size_t room = width; room > 1 && !text.empty();) {
    const std::size_t columns = take_character(text, character);
    if (columns >= room) break;
    room -= columns;
    kept += character;
  }
  return width == 0 ? kept : kept + "…";
}

void Table::add(const std::vector<std::string>& cells) {
  rows_.emplace_back();
  for (const std::string& cell : cells) rows_.back().push_back(escape_controls(cell));
}

std::vector<std::size_t> Table::widths(std::size_t width) const {
  std::vector<std::size_t> wide;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    wide.push_back(display_width(columns_[i].title));
    for (const auto& row : rows_) wide.back() = std::max(wide.back(), display_width(row[i]));
  }
  while (std::accumulate(wide.begin(), wide.end(), wide.size() - 1) > width) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < wide.size(); ++i)
      if (columns_[i].cuts && wide[i] > (widest != nullptr ? *widest : kNarrowest)) widest = &wide[i];
    if (widest == nullptr) break;
    --*widest;
  }
  return wide;
}

std::string Table::text(std::size_t width) const {
  const std::vector<std::size_t> wide = widths(width);
  const auto line = [&](const auto& cell) {
    std::string text;
    for (std::size_t i = 0; i < wide.size(); ++i)
      text += (i == 0 ? "" : " ") + padded(cut(cell(i), wide[i]), wide[i], columns_[i].number);
    text.erase(text.find_last_not_of(' ') + 1);
    return text + '\n';
  };
  std::string all = paint(line([&](std::size_t i) { return std::string(columns_[i].title); }), Colour::bold);
  for (const auto& row : rows_) all += line([&](std::size_t i) { return row[i]; });
  return all;
}

std::string aligned(const Fields& rows) {
  std::size_t longest = 0;
  for (const auto& row : rows) longest = std::max(longest, display_width(escape_controls(row.first)));
  std::string text;
  for (const auto& [name, value] : rows) {
    const std::string shown = escape_controls(name);
    text += "  " + shown + std::string(longest - display_width(shown) + 2, ' ') + escape_controls(value) + '\n';
  }
  return text;
}

}  // namespace alertspool
