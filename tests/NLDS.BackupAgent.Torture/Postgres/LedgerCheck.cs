using System.Globalization;
using System.Text.Json;
using Npgsql;
using NpgsqlTypes;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>Restores with the agent's own verb, starts a server on what came, and compares it with the ledger.</summary>
internal sealed class LedgerCheck(AgentProcess agent, string target, Ledger ledger, AgentClaims claims, Random random, TortureReport report)
{
    /// <summary>What the verbs answer when the repository cannot give what was asked for.</summary>
    public const int NotRestorable = 3;

    /// <summary>What they answer when the target is not empty.</summary>
    private const int Usage = 2;

    /// <summary>Milliseconds in which one comes to its end, mostly.</summary>
    private const int MostOfARestore = 3000;

    /// <summary>PostgreSQL's resolution of time.</summary>
    private static readonly TimeSpan Microsecond = TimeSpan.FromMicroseconds(1);

    /// <summary>All that was claimed to be durable, and nothing that never was written.</summary>
    public async Task LatestAsync()
    {
        var least = ledger.Claimed;
        await CheckAsync("latest", held => ledger.Contradiction(held, least));
        report.Count("restores to latest, right");
    }

    /// <summary>Some place or time of the past, if there is one yet.</summary>
    public async Task PastAsync()
    {
        await ForgetWhatWasPrunedAsync();
        var moments = ledger.Moments;
        var last = moments.Count(moment => moment.Position <= claims.Position) - 1;
        if (last < 1)
        {
            return;
        }

        var (from, to) = (moments[random.Next(last)], moments[last]);
        to = random.Next(2) == 0 ? moments[moments.ToList().IndexOf(from) + 1] : to;
        switch (random.Next(3))
        {
            case 0:
                await PositionAsync(from.Position + (ulong)random.NextInt64((long)((ulong)to.Position - (ulong)from.Position) + 1));
                break;
            case 1:
                await TimeAsync(from.Time + TimeSpan.FromMicroseconds((long)((to.Time - from.Time).TotalMicroseconds * random.NextDouble())));
                break;
            default:
                // A transaction's own time: with it, or just without it.
                if (ledger.AnyClaimed(random) is { Committed: { } committed })
                {
                    await TimeAsync(committed - (Microsecond * random.Next(2)));
                }

                break;
        }
    }

    /// <summary>
    /// The span that reaches furthest is from behind the newest hole: one that was recorded, or what retention removed between a backup that it keeps for its proof and the
    /// recovery window.
    /// </summary>
    private async Task ForgetWhatWasPrunedAsync()
    {
        using var list = JsonDocument.Parse(await agent.RunAsync("list", "postgres", "--json"));
        var spans = list.RootElement.GetProperty("sources")[0].GetProperty("log").GetProperty("spans");
        var from = spans.EnumerateArray().MaxBy(span => span.GetProperty("to").GetDateTimeOffset()).GetProperty("from").GetDateTimeOffset();
        ledger.Forget(moment => moment.Time < from);
    }

    private async Task TimeAsync(DateTimeOffset time)
    {
        await CheckAsync(time.UtcDateTime.ToString("O", CultureInfo.InvariantCulture), held => ledger.Contradiction(held, time));
        report.Count("restores to a time, right");
    }

    public async Task PositionAsync(NpgsqlLogSequenceNumber position)
    {
        await CheckAsync(position.ToString(), held => ledger.Contradiction(held, position));
        report.Count("restores to a place in the log, right");
    }

    /// <summary>The repository must say that it cannot, and write nothing.</summary>
    public async Task RefusedAsync(string to)
    {
        var (code, output, error) = await agent.TryAsync("restore", "postgres", "--target-directory", target, "--to", to);
        if (code != NotRestorable || Directory.Exists(target))
        {
            throw new TortureException($"restore --to {to} must be refused and ended with {code}: {error}{output}");
        }

        report.Count("restores refused, rightly");
    }

    private async Task CheckAsync(string to, Func<HeldLedger, string?> contradiction)
    {
        var words = await RestoreAsync("restore", "postgres", "--target-directory", target, "--to", to);
        await using (var server = await PostgresServer.StartOnDirectoryAsync(target, ProtectedServer.Major))
        {
            await Eventually.TrueAsync(() => server.ScalarAsync<bool>("SELECT NOT pg_is_in_recovery()"), "the restored server promotes", details: server.ReadLog);
            await using var connection = new NpgsqlConnection(server.ConnectionString);
            await connection.OpenAsync();
            if (contradiction(await HeldLedger.ReadAsync(connection)) is { } difference)
            {
                throw new TortureException($"restore --to {to} is not what it must be: {difference}. It lies in {target}. {words}");
            }

            if (random.Next(4) == 0)
            {
                await ProveStructureAsync(server);
            }
        }

        Directory.Delete(target, recursive: true);
    }

    /// <summary>Sometimes not at the first attempt: the ones before are killed somewhere, and what they leave must be in nobody's way.</summary>
    private async Task<string> RestoreAsync(params string[] words)
    {
        var kills = 0L;
        for (var attempts = random.Next(3) == 0 ? random.Next(1, 4) : 0; attempts > 0; attempts--)
        {
            kills += await agent.KillAsync(TimeSpan.FromMilliseconds(random.Next(MostOfARestore)), words) ? 1 : 0;
        }

        report.Count("kills: a restore", kills);
        var (code, output, error) = await agent.TryAsync(words);
        return code == 0 ? output
            : code == Usage && File.Exists(Path.Combine(target, "global", "pg_control")) ? "An attempt before came to its end."
            : throw new TortureException($"'{string.Join(' ', words)}' ended with {code} after {kills} attempts that were killed: {error}{output}");
    }

    private async Task ProveStructureAsync(PostgresServer server)
    {
        await ServerProcess.RunAsync(
            $"/usr/lib/postgresql/{ProtectedServer.Major}/bin/pg_amcheck",
            ["--host=127.0.0.1", string.Create(CultureInfo.InvariantCulture, $"--port={server.Port}"), "--username=postgres", "--heapallindexed", "postgres"],
            CancellationToken.None);
        report.Count("restored servers proved by pg_amcheck");
    }
}
