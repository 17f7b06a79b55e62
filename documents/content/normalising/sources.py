"""Recognise the program that wrote a text, where its habits cannot be told from the markup alone."""

import enum


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


MAX_SEARCHED_CHARACTERS = 200_000
# Texts that only one program writes. In this order: Outlook writes Word's HTML, and editors keep what was pasted.
SIGNS: tuple[tuple[Source, tuple[str, ...]], ...] = (
    (Source.GOOGLE_SHEETS, ("google-sheets-html-origin", "data-sheets-")),
    (Source.GOOGLE_DOCS, ("docs-internal-guid",)),
    (Source.WORD_ONLINE, ("ListContainerWrapper", "OutlineElement", "SCXW")),
    (Source.EXCEL, ("office:excel", "Excel.Sheet")),
    (Source.OUTLOOK, ("x_Mso", "OutlookMessageHeader", "divRplyFwdMsg")),
    (Source.WORD, ("office:word", "Word.Document", "MsoNormal", "MsoList", "mso-list:")),
    (Source.LIBREOFFICE, ("LibreOffice", "OpenOffice", 'class="western"')),
    (Source.PAGES, ("Cocoa HTML Writer",)),
    (Source.LEXICAL, ("data-lexical-", "__lexical", "editor-list", "editor-p", "editor-text")),
    (Source.CKEDITOR, ("todo-list", "data-oembed-url", "<oembed", 'class="table"', 'class="image')),
    (Source.TINYMCE, ("tox-", "mce-")),
    (Source.QUILL, ("ql-", "data-list=")),
    (Source.TIPTAP, ('data-type="task', "ProseMirror", "tiptap")),
    (Source.MARKDOWN, ("footnote-backref", "language-", "task-list")),
)


def recognise(html: str) -> Source:
    """Return the program that wrote a text, as far as its beginning shows it."""
    html = html[:MAX_SEARCHED_CHARACTERS]
    return next((source for source, signs in SIGNS if any(sign in html for sign in signs)), Source.OTHER)
