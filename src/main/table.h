/// Table: aligned text for people. Values are the sender's words: everything that is printed here is escaped first, and
/// aligned by the columns that a terminal gives a character (Chinese ones take two), without any locale.

#pragma once

#include "alert/fields.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace alertspool {

enum class Colour { none, red, yellow, green, bold };

/// `text` in that colour; as it is unless standard output is a terminal and NO_COLOR (https://no-color.org) is unset or
/// empty.
std::string paint(std::string text, Colour colour);

/// The colour of a state of an alert or delivery, and of a severity.
Colour colour_of(std::string_view state) noexcept;

/// Columns of the terminal on standard output; 80 when it is none.
std::size_t screen_width() noexcept;

/// Columns that valid UTF-8 without control characters takes on a terminal.
std::size_t display_width(std::string_view text) noexcept;

/// The text when it fits into `width` columns, else as much of it as fits with an ellipsis.
std::string cut(std::string_view text, std::size_t width);

class Table {
public:
  struct Column {
    const char* title;
    bool number = false;  ///< aligned to the right
    bool cuts = false;    ///< gives way, widest first, when a line is too long
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// REQUIRES: as many cells as columns. States and severities get their colour.
  void add(const std::vector<std::string>& cells);
  std::size_t size() const noexcept { return rows_.size(); }

  /// Titles and rows, one line each, no line longer than `width` as far as the columns that give way allow it.
  std::string text(std::size_t width) const;

private:
  std::vector<std::size_t> widths(std::size_t width) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// `  name  value` per line, names padded to the longest; values escaped, never cut.
std::string aligned(const Fields& rows);

}  // namespace alertspool
