"""C identifiers and comments from the user's own names, whatever characters those hold."""

from __future__ import annotations

import re

MAX_NAME = 48  # characters of one name; longer ones are cut, which keeps generated lines readable

#: words of C and C++, and prefixes of names that headers define (size_t, int8_t, eq_conv_t, edgeq_status)
_TAKEN = re.compile(
    r"auto|break|case|char|const|continue|default|do|double|else|enum|extern|float|for|goto|if|inline|int|long|"
    r"register|restrict|return|short|signed|sizeof|static|struct|switch|typedef|union|unsigned|void|volatile|while|"
    r"asm|bool|catch|class|delete|explicit|export|false|friend|main|mutable|namespace|new|operator|private|"
    r"protected|public|template|this|throw|true|try|using|virtual|"
    r"u?int(_least|_fast)?\d+|u?int(max|ptr)|s?size|ptrdiff|wchar|time|clock|off|div|ldiv|kernel|eq|eq_.*|edgeq.*",
    re.IGNORECASE,
)


def identifier(text: str, fallback: str = "net") -> str:
    """The nearest C identifier: letters, digits and single underscores, no word that C or a header has taken."""
    name = re.sub(r"_+", "_", re.sub(r"[^0-9A-Za-z]", "_", text)).strip("_")[:MAX_NAME].rstrip("_")
    if not name or name[0].isdigit() or _TAKEN.fullmatch(name):
        name = f"{fallback}_{name}".rstrip("_")
    return name


class Names:
    """Unique identifiers of one scope: the same text always gives the same name, two texts never share one."""

    def __init__(self, fallback: str = "v") -> None:
        self._fallback = fallback
        self._of: dict[str, str] = {}
        self._taken: set[str] = set()

    def __getitem__(self, text: str) -> str:
        if text not in self._of:
            self._of[text] = self.fresh(text)
        return self._of[text]

    def fresh(self, text: str) -> str:
        """A name near `text` that nothing has yet; compared without case, for macros are in capitals."""
        base = identifier(text, self._fallback)
        name, count = base, 1
        while name.lower() in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name.lower())
        return name


def comment(text: object) -> str:
    """Text that cannot end or break a C comment, a Makefile line or a trigraph-aware compiler's patience."""
    flat = "".join(c if " " <= c <= "~" and c != "\\" else "?" for c in " ".join(str(text).split()))
    while "??" in flat:
        flat = flat.replace("??", "?")
    return flat.replace("*/", "* /").replace("/*", "/ *")
