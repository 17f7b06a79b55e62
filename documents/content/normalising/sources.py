"""Recognise the program that wrote a text, where its habits cannot be told from the markup alone."""

import enum
import re


class Source(enum.StrEnum):
    """Programs whose clipboards and editors are known."""

    WORD = "Word"
    WORD_ONLINE = "Word on the web"
    OUTLOOK = "Outlook"
    EXCEL = "Excel"
    GOOGLE_DOCS = "Google Docs"
    GOOGLE_SHEETS = "Google Sheets"
    LIBREOFFICE = "LibreOffice"
    PAGES = "Pages"
    LEXICAL = "Lexical"
    CKEDITOR = "CKEditor"
    TINYMCE = "TinyMCE"
    QUILL = "Quill"
    TIPTAP = "TipTap"
    MARKDOWN = "Markdown"
    OTHER = "another program"


# In this order: Outlook writes Word's HTML, and editors keep what was pasted into them.
SIGNS = (
    (Source.GOOGLE_SHEETS, r"google-sheets-html-origin|data-sheets-"),
    (Source.GOOGLE_DOCS, r"docs-internal-guid"),
    (Source.WORD_ONLINE, r"ListContainerWrapper|OutlineElement|SCXW\d|\bTextRun\b"),
    (Source.EXCEL, r"office:excel|Excel\.Sheet|content=\"?Microsoft Excel"),
    (Source.OUTLOOK, r"\bx_Mso|\bdivRplyFwdMsg\b|class=\"?OutlookMessageHeader"),
    (Source.WORD, r"office:word|Word\.Document|\bMso(?:Normal|List|Title|Heading)|mso-list:"),
    (Source.LIBREOFFICE, r"content=\"(?:LibreOffice|OpenOffice)|class=\"western\""),
    (Source.PAGES, r"Cocoa HTML Writer"),
    (Source.LEXICAL, r"data-lexical-|__lexical|\beditor-(?:p|text|list|listitem|nested)"),
    (Source.CKEDITOR, r"\btodo-list\b|class=\"(?:table|image|media)(?:[ \"])|data-oembed-url|<oembed"),
    (Source.TINYMCE, r"\btox-|\bmce-|data-mce-"),
    (Source.QUILL, r"\bql-|data-list=\""),
    (Source.TIPTAP, r"data-type=\"task|ProseMirror|tiptap"),
    (Source.MARKDOWN, r"class=\"(?:footnote|language-|task-list)|footnote-backref"),
)
PATTERNS = tuple((source, re.compile(sign)) for source, sign in SIGNS)


def recognise(html: str) -> Source:
    """Return the program that wrote a text, as far as the text shows it."""
    return next((source for source, pattern in PATTERNS if pattern.search(html)), Source.OTHER)
