"""My documents, and one of them."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from documents.models import Document


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """List the documents of who is signed in."""
    return render(request, "documents/home.html", {"documents": Document.objects.for_user(request.user)[:50]})


@login_required
def document(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one document."""
    found = get_object_or_404(Document.objects.for_user(request.user), pk=pk)
    return render(request, "documents/document.html", {"document": found})
