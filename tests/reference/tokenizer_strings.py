#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the texts on which our tokeniser is compared with llama.cpp, each ended by a NUL, the same ones every time.

Part are written by hand for the rules of the pre-tokeniser; the rest are random mixtures of what tends to break it.
"""
import random
import sys

BY_HAND = [
    "Hello", "Hello, world!", " leading", "trailing ", "  two", "two  ", "\n", "\n\n", "\n\n\n", "a\nb", "a\n\nb", "a \n b",
    "a\n  b", "a\t\tb", "\ta", "a\r\nb", "\r\n\r\n", "   ", " ", "\t", "\u00a0", "a\u00a0b", "a \u00a0 b", "\u3000x",
    "\u2028\u2029", "a\u2003\u2003b", "\u0085x", "x\u200by", "x\u200dy", "0", "1234567890", " 12", "12 34", "a1b2", "1 a",
    "3.14159", "1,000,000", "v1.2.3", "0x1F", "-5", "+1-2*3/4", "½ ¾ ²³", "٠١٢٣", "१२३", "①②③ⅣⅤ", "五六七", "x\u00b2",
    "don't", "I'm we're they've he'll she'd it's can't", "DON'T", "I'M", "'s", "'t't", "''s", "' s", "'re", "'r", "'l", "'lll",
    "'sad", " 's", "rock'n'roll", "o'clock", "’s", "don’t", "naïve café", "Ünïcödé", "ǅ ʰ ª º", "ß ẞ", "İıIi", "ﬁ ﬂ",
    "e\u0301", "n\u0303o", "\u0301", " \u0301a", "Привет, мир!", "Ελληνικά", "עברית שלום", "العربية مرحبا", "हिन्दी", "தமிழ்",
    "ไทยภาษา", "ქართული", "Հայերեն", "አማርኛ", "日本語テキスト", "ひらがなカタカナ", "中文字符,标点。", "한국어 문장", "ㄱㄴㄷ",
    "日本 123 語", "中1文2", "𠀀𠀁𪚥", "𝒜𝓑𝔠", "𝟘𝟙𝟚", "𐍈𐌰", "😀", "😀😃😄", "a😀b", " 😀", "👩‍👩‍👧‍👦", "👍🏽", "🇩🇪🇯🇵",
    "❤️", "☃ ☂ ★", "→⇒∀∃∈", "∑∫√∞≈≠", "€£¥₹", "©®™", "§¶†‡", "«»„“”", "—–-", "…", "...", "!!!???", "a!b?c", " ! ?", "#!/bin/sh",
    "if (x != y) { return x->z[0]; }", "def f(a, b=1):\n    return a ** b\n", "#include <stdio.h>\n\nint main(void)\n{\n}\n",
    "SELECT * FROM t WHERE a = 'b';", "<html><body>&amp;</body></html>", "https://example.org/a?b=c&d=%20e#f", "a@b.example",
    "C:\\path\\file.txt", "/usr/local/bin", "$HOME ${x}", "~`!@#$%^&*()_+-=[]{}|;:'\",.<>/?", "\\n\\t\\0", "```c\ncode\n```",
    "| a | b |\n|---|---|\n", "- item\n  - nested\n    - deep\n", "1. one\n2. two\n", "**bold** _it_ ~~no~~", "a_b_c", "snake_case_name",
    "camelCaseName", "ALLCAPS", "MiXeD", "supercalifragilisticexpialidocious", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "ababababababababababab", "      indented", "x" * 300, " " * 70, "\n" * 40, "=" * 80, "ha" * 100, "The quick brown fox.",
    "<|im_start|>user\nhi<|im_end|>", "<|endoftext|>", "<|im_end", "|im_end|>", "<repo_name>", "\ufeffbom", "\ufffd", "\ue000",
    "\U000e0001", "\U0001fae8", "\u0378", "a\u0378b", "\u2060", "soft\u00adhyphen", "\u202eabc\u202c",
]

PIECES = [
    " ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u3000", "the", "The", " and", "ing", "123", "7", "'s", "'ll", "'", "\"", ".", ", ", "?!",
    "é", "ñ", "ß", "ø", "и", "слово", "λ", "العربية", "हिन्दी", "日本", "中", "かな", "한", "😀", "👩‍💻", "€", "²", "٣", "½", "Ⅷ", "\u0301",
    "\u200d", "_", "-", "--", "()", "{}", "=>", "\\", "/", "a", "B", "zz", "x1", "http://", "<|im_end|>", "𝒜", "\U00020000",
]
RANDOM_TEXTS = 400


def main():
    random.seed(20240607)
    texts = list(BY_HAND)
    for _ in range(RANDOM_TEXTS):
        texts.append("".join(random.choice(PIECES) for _ in range(random.randint(1, 24))))
    sys.stdout.buffer.write(b"".join(text.encode() + b"\0" for text in texts))


if __name__ == "__main__":
    main()
