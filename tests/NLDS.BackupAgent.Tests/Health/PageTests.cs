using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Playwright;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Health;

/// <summary>The page in a real browser. What it looked like lies in artifacts/page afterwards.</summary>
public sealed class PageTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Now = new(2026, 7, 26, 14, 3, 20, TimeSpan.Zero);

    private readonly AgentUnderTest agent = new();
    private readonly List<string> complaints = [];
    private WebApplication? app;
    private IPlaywright? playwright;
    private IBrowser? browser;

    private static string Screenshots { get; } = Directory.CreateDirectory(Path.Combine(Checkout.Root, "artifacts/page")).FullName;

    public async ValueTask InitializeAsync()
    {
        agent.Environment["Agent__Urls"] = "http://127.0.0.1:0";
        agent.Environment["Agent__Instance"] = "postgres-0";
        agent.Source.Backups.Add(FakeSource.Backup(TimeProvider.System.GetUtcNow().AddHours(-3)));
        agent.Source.Status = new ContinuousStatus { State = "streaming", IsStreaming = true, RecoverableUntil = TimeProvider.System.GetUtcNow(), ConfirmedAt = TimeProvider.System.GetUtcNow(), RestoreEstimate = TimeSpan.FromSeconds(80) };
        playwright = await Playwright.CreateAsync();
        browser = await playwright.Chromium.LaunchAsync(new() { ExecutablePath = "/usr/bin/chromium", Args = ["--no-sandbox"] });
    }

    [Fact]
    public async Task It_shows_what_the_agent_says_follows_it_without_a_reload_and_changes_nothing()
    {
        await StartAsync();
        var page = await OpenAsync();

        await Expect(page, "Yes: everything can be restored");
        (await page.TitleAsync()).ShouldBe("✔ postgres-0 – backup status");
        await page.EvaluateAsync("window.stayed = true");
        agent.Source.Status = new ContinuousStatus { State = "waiting", LastError = "The server refuses connections." };
        await Expect(page, "The server refuses connections.");
        (await page.EvaluateAsync<bool>("window.stayed")).ShouldBeTrue();
        (await page.Locator("button:visible").CountAsync()).ShouldBe(0, "Nothing on the page does anything.");
        await page.Context.SetOfflineAsync(true);
        await Expect(page, "The agent does not answer.");
        complaints.Where(complaint => !complaint.Contains("ERR_INTERNET_DISCONNECTED", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_token_is_asked_for_once_and_what_the_agent_says_is_never_markup()
    {
        agent.Environment["Agent__Token"] = "correct horse battery staple";
        agent.Source.Status = new ContinuousStatus { State = "waiting", LastError = "<img src=x onerror=alert(1)> & more" };
        await StartAsync();
        var page = await OpenAsync();
        await Expect(page, "holders of its token");

        await page.GetByLabel("This agent wants its token:").FillAsync("correct horse battery staple");
        await page.Keyboard.PressAsync("Enter");

        await Expect(page, "<img src=x onerror=alert(1)> & more");
        (await page.Locator("img").CountAsync()).ShouldBe(0);
        (await page.Locator("#key").IsVisibleAsync()).ShouldBeFalse();
    }

    [Theory]
    [InlineData("desktop", 1280, 900, ColorScheme.Light)]
    [InlineData("desktop", 1280, 900, ColorScheme.Dark)]
    [InlineData("phone", 390, 844, ColorScheme.Light)]
    [InlineData("phone", 390, 844, ColorScheme.Dark)]
    public async Task It_is_readable_everywhere_on_a_good_day_and_on_a_bad_one(string device, int width, int height, ColorScheme scheme)
    {
        await StartAsync();
        foreach (var (day, headline) in new[] { ("good", "Yes: everything can be restored"), ("bad", "Not everything can be restored") })
        {
            var page = await OpenAsync(width, height, scheme, Status(day == "good"));
            await Expect(page, headline);

            (await page.EvaluateAsync<int>("document.documentElement.scrollWidth")).ShouldBeLessThanOrEqualTo(width, "Nothing is cut off at the side.");
            (await page.Locator("svg[role=img] > title").CountAsync()).ShouldBeGreaterThan(3, "Drawings are told in words too.");
            (await page.Locator("table:not(:has(caption)), th:not([scope])").CountAsync()).ShouldBe(0);
            (await page.EvaluateAsync<double>(Contrast)).ShouldBeGreaterThan(4.5, "WCAG AA");
            await page.ScreenshotAsync(new() { Path = Path.Combine(Screenshots, $"{device}-{scheme.ToString().ToLowerInvariant()}-{day}.png"), FullPage = true });
        }

        complaints.ShouldBeEmpty();
    }

    public async ValueTask DisposeAsync()
    {
        await (browser?.DisposeAsync() ?? ValueTask.CompletedTask);
        playwright?.Dispose();
        if (app is not null)
        {
            await app.StopAsync(CancellationToken.None);
            await app.DisposeAsync();
        }

        agent.Dispose();
    }

    /// <summary>The least contrast of any text with what lies behind it.</summary>
    private const string Contrast = """
        () => {
          const parse = colour => colour.match(/[\d.]+/g).map(Number);
          const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
          const behind = node => { for (; node; node = node.parentElement) { const c = parse(getComputedStyle(node).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
          return Math.min(...[...document.querySelectorAll('main *')].filter(n => n.children.length === 0 && n.textContent.trim() && n.getClientRects().length && !n.closest('svg')).map(n => {
            const [a, b] = [light(parse(getComputedStyle(n).color)), light(behind(n))].sort((x, y) => y - x);
            return (a + .05) / (b + .05);
          }));
        }
        """;

    private static Task Expect(IPage page, string text) => Assertions.Expect(page.Locator("main")).ToContainTextAsync(text, new() { Timeout = 30_000 });

    private async Task StartAsync()
    {
        app = DaemonHost.Build(agent.Load(), agent.Surroundings, agent.Scrubber);
        await app.StartAsync(TestContext.Current.CancellationToken);
    }

    private async Task<IPage> OpenAsync(int width = 1280, int height = 900, ColorScheme scheme = ColorScheme.Light, string? status = null)
    {
        var context = await browser!.NewContextAsync(new() { ColorScheme = scheme, ViewportSize = new() { Width = width, Height = height } });
        var page = await context.NewPageAsync();
        page.Console += (_, message) =>
        {
            if (message.Type == "error" && !message.Text.Contains("401", StringComparison.Ordinal) && !message.Text.Contains("favicon", StringComparison.Ordinal) && !message.Text.Contains("404", StringComparison.Ordinal))
            {
                complaints.Add(message.Text);
            }
        };
        page.PageError += (_, error) => complaints.Add(error);
        if (status is not null)
        {
            await page.RouteAsync("**/status", route => route.FulfillAsync(new() { ContentType = "application/json", Body = status }));
        }

        await page.GotoAsync(app!.Urls.Single());
        return page;
    }

    /// <summary>All four sources after a month, in the form of <c>/status</c>.</summary>
    private static string Status(bool isGood)
    {
        object Backup(string source, DateTimeOffset at, long bytes) => new { source, id = at.ToString("yyyyMMdd_HHmmss", CultureInfo.InvariantCulture), began = at, ended = at.AddMinutes(2), contentBytes = bytes, storedBytes = bytes / 4, objects = 2, state = "verified" };
        object Source(string name, bool hasLog, TimeSpan every, int count, long bytes, double? estimate)
        {
            var backups = Enumerable.Range(0, count).Select(back => Backup(name, Now - (every * (count - back)) + TimeSpan.FromMinutes(12), (long)(bytes * (1 + (0.02 * back) + (0.1 * Math.Sin(back)))))).ToList();
            var broken = !isGood && name == "postgres";
            return new
            {
                name,
                backups = count,
                newest = backups[^1],
                newestVerified = backups[^1],
                recent = backups,
                restorableFrom = hasLog ? Now.AddDays(-8) : (DateTimeOffset?)null,
                restorableTo = hasLog ? Now.AddSeconds(-5) : (DateTimeOffset?)null,
                spans = hasLog ? broken
                    ? new[] { new { from = Now.AddDays(-8), to = Now.AddDays(-3.5) }, new { from = Now.AddDays(-3.1), to = Now.AddSeconds(-5) } }
                    : [new { from = Now.AddDays(-8), to = Now.AddSeconds(-5) }] : [],
                gaps = broken ? new[] { new { from = "0/5000000", to = "0/7000000", reason = "requested WAL segment 000000010000000000000005 has already been removed", recordedAt = Now.AddDays(-3.4) } } : [],
                restoreEstimateSeconds = estimate,
                verificationEnded = Now.AddHours(-9),
                damage = broken ? new[] { new { subject = "postgres/wal/000000010000000000000042.zst", what = "is missing from the repository.", cost = "Restore to a moment from 2026-07-20 14:00:03Z to 2026-07-21 02:04:11Z is impossible." } } : [],
                log = hasLog ? new { state = broken ? "waiting" : "streaming", isStreaming = !broken, recoverableUntil = broken ? Now.AddMinutes(-22) : Now.AddSeconds(-4), confirmedAt = broken ? Now.AddMinutes(-22) : Now.AddSeconds(-2), gaps = broken ? 1 : 0, lastError = broken ? "The server at postgres-service:5432 refuses connections. Is it running?" : null, snapshotNeeded = (string?)null } : null,
            };
        }

        object Run(DateTimeOffset began, string? error, string? backup) => new { began, ended = began.AddSeconds(94), outcome = error is null ? "succeeded" : "failed", error, backup, bytes = backup is null ? (long?)null : 1L << 31 };
        object Job(string name, string source, string kind, TimeSpan every, string? error, bool runs) => new
        {
            name, source, kind, schedule = "0 0 2 * * ? (UTC)", nextRun = Now + (every / 3), expectedIntervalSeconds = every.TotalSeconds, runningSince = runs ? Now.AddSeconds(-40) : (DateTimeOffset?)null,
            progress = runs ? "base backup: 1.2 GiB of 2.0 GiB (60 %), 31 MiB/s, 27 s left" : null, lastSuccess = Now - (every / 2), lastDurationSeconds = 94.0, failures = error is null ? 0 : 3, lastError = error,
            runs = new[] { Run(Now - (every / 2), error, kind == "backup" && error is null ? "20260726_020000" : null), Run(Now - (every * 1.5), null, kind == "backup" ? "20260725_020000" : null) },
        };

        var refused = isGood ? null : "The server at postgres-service:5432 refuses connections. Is it running?";
        return JsonSerializer.Serialize(new
        {
            instance = "postgres-0", version = "0.1.0", started = Now.AddDays(-12), now = Now, ready = isGood, notReady = isGood ? [] : new[] { $"postgres: {refused}" }, store = "s3://nlds-backups-prod in eu-central-1",
            sources = new[]
            {
                Source("postgres", true, TimeSpan.FromDays(1), 30, 2L << 30, isGood ? 142 : 1130), Source("redis", true, TimeSpan.FromHours(6), 28, 300L << 20, 9),
                Source("kubernetes", false, TimeSpan.FromMinutes(30), 48, 400L << 10, null), Source("application-data", false, TimeSpan.FromMinutes(15), 40, 5L << 20, null),
            },
            jobs = new[]
            {
                Job("postgres-full", "postgres", "backup", TimeSpan.FromDays(1), refused, isGood), Job("postgres-verify", "postgres", "verify", TimeSpan.FromDays(1), null, false), Job("redis-base", "redis", "backup", TimeSpan.FromHours(6), null, false),
                Job("kubernetes", "kubernetes", "backup", TimeSpan.FromMinutes(30), null, false), Job("application-data", "application-data", "backup", TimeSpan.FromMinutes(15), null, false), Job("drill", "postgres", "drill", TimeSpan.FromDays(30), null, false),
            },
        });
    }
}
