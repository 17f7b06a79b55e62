"""The URLs of the site."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.utils.csp import CSP
from django.views.decorators.csp import csp_override
from drf_spectacular.views import SpectacularSwaggerView

from metrics.prometheus import exposition
from spms import account, health
from spms.schema_view import SchemaView
from spms.sign_in import SignInForm

# The page of documentation has an inline script.
INLINE: list[str] = [CSP.SELF, CSP.UNSAFE_INLINE]
DOCS_CSP: dict[str, list[str]] = settings.SECURE_CSP | {"script-src": INLINE, "style-src": INLINE}
# Its renderer has no template for the answer to OPTIONS.
docs_page = SpectacularSwaggerView.as_view(url_name="schema", http_method_names=["get", "head"])

urlpatterns = [
    path("api/v1/", include("documents.api.urls")),
    path("api/v1/", include("metrics.api.urls")),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", csp_override(DOCS_CSP)(docs_page), name="docs"),
    path("healthz/live", health.live, name="live"),
    path("healthz/ready", health.ready, name="ready"),
    path("", include("documents.pages.urls")),
    path("dashboard/tasks/", include("documents.pages.task_urls")),
    path("dashboard/imports/", include("documents.pages.import_urls")),
    path("dashboard/reports/", include("documents.pages.report_urls")),
    path("dashboard/cycles/", include("documents.pages.cycle_urls")),
    path("dashboard/", include("metrics.dashboard.urls")),
    path(
        "login/",
        LoginView.as_view(template_name="site/login.html", authentication_form=SignInForm),
        name="login",
    ),
    path("account/", account.account, name="account"),
    path("account/password/", account.PasswordView.as_view(), name="password-change"),
    path("account/token/", account.change_token, name="account-token"),
    path("account/sessions/end/", account.end_sessions, name="account-sessions-end"),
    # The names are those of Django's own views, which redirect to each other.
    path("account/reset/", account.ResetView.as_view(), name="password_reset"),
    path("account/reset/sent/", account.ResetSentView.as_view(), name="password_reset_done"),
    path("account/reset/<uidb64>/<token>/", account.NewPasswordView.as_view(), name="password_reset_confirm"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("metrics", exposition.metrics, name="metrics"),
    path("admin/", admin.site.urls),
]

handler400 = "spms.problems.bad_request"
handler403 = "spms.problems.forbidden"
handler404 = "spms.problems.not_found"
handler500 = "spms.problems.server_error"
