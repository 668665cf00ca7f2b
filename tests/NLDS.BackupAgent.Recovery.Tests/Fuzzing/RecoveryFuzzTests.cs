using System.Text;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Recovery.Marks;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Fuzzing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Recovery.Tests.Fuzzing;

/// <summary>Marks, requests, runs and reports of drills that say what no agent wrote, under proofs that fit.</summary>
public sealed class RecoveryFuzzTests
{
    private static readonly (string Key, string Says)[] Documents =
    [
        ("marks/before.json", """{"name":"before","markedAt":"2026-11-23T02:00:00+00:00","by":"a@b","isScheduled":true,"places":{"postgres":{"to":"0/5A3C1F8","backup":null,"backupAgeSeconds":null,"words":"w"},"kubernetes":{"to":null,"backup":"20261123_020000","backupAgeSeconds":12.5,"words":"w"}},"skewSeconds":0.1}"""),
        ("recovery/requests/postgres/20261123_140317_000_5f0c2a9b.json", """{"id":"20261123_140317_000_5f0c2a9b","source":"postgres","to":"latest","backup":null,"requestedAt":"2026-11-23T14:03:17+00:00","by":"a@b"}"""),
        ("recovery/requests/postgres/20261123_140317_000_5f0c2a9b.begun.json", """{"id":"20261123_140317_000_5f0c2a9b","instance":"postgres-0","begunAt":"2026-11-23T14:03:17+00:00"}"""),
        ("recovery/runs/20261123_150000/begun.json", """{"id":"20261123_150000","scenario":"database","arguments":{"to":"latest"},"begunAt":"2026-11-23T15:00:00+00:00","by":"a@b","facts":{"a":"b"},"steps":[{"name":"stop","what":"w","estimateSeconds":1,"timeoutSeconds":60,"isDestructive":true}]}"""),
        ("recovery/runs/20261123_150000/step-01.json", """{"number":1,"name":"stop","words":"w","wasThere":false,"doneAt":"2026-11-23T15:00:01+00:00","seconds":1,"by":"a@b","facts":{"c":"d"},"findings":["f"]}"""),
    ];

    [Fact]
    public void Documents_that_say_what_nobody_wrote()
    {
        var mutators = Documents.Select(document => new JsonMutator([document.Says])).ToList();
        new Fuzzer(
            "a document",
            random =>
            {
                var number = random.Next(mutators.Count);
                return [(byte)number, .. mutators[number].Next(random)];
            },
            input => UseAsync(input.Bytes).GetAwaiter().GetResult(),
            IsRefusal).Run(400);
    }

    /// <summary>The name under which a mark lies is the one that it goes by.</summary>
    [Theory]
    [InlineData("../../postgres/identity")]
    [InlineData("other")]
    public async Task A_mark_that_calls_itself_otherwise_takes_nothing_else_away(string name)
    {
        var store = new MemoryObjectStore();
        foreach (var key in (string[])["marks/before.json", "marks/other.json"])
        {
            await store.ReplaceAsync(new ObjectKey(key), ProvenJson.Prove(Documents[0].Says.Replace("\"before\"", $"\"{name}\"", StringComparison.Ordinal).Replace("true", key.Contains("before", StringComparison.Ordinal) ? "true" : "false", StringComparison.Ordinal)), CancellationToken.None);
        }

        var marks = new RecoveryMarks(new BackupRepository(store, new RepositoryOptions(), TimeProvider.System), TimeProvider.System);
        (await Record.ExceptionAsync(() => marks.ForgetAsync(TimeSpan.Zero, CancellationToken.None))).ShouldBeOfType<NotRestorableException>();

        (await store.HeadAsync(new ObjectKey("marks/other.json"), CancellationToken.None)).ShouldNotBeNull();
    }

    private static async Task UseAsync(byte[] input)
    {
        var store = new MemoryObjectStore();
        foreach (var (key, says) in Documents)
        {
            await store.ReplaceAsync(new ObjectKey(key), ProvenJson.Prove(says), CancellationToken.None);
        }

        if (input.Length > 1)
        {
            await store.ReplaceAsync(new ObjectKey(Documents[input[0] % Documents.Length].Key), ProvenJson.Prove(Encoding.UTF8.GetString(input.AsSpan(1))), CancellationToken.None);
        }

        var clock = new ManualClock();
        var repository = new BackupRepository(store, new RepositoryOptions(), clock);
        var marks = new RecoveryMarks(repository, clock);
        foreach (var use in (Func<Task>[])
        [
            () => marks.ListAsync(CancellationToken.None),
            () => marks.ForgetAsync(TimeSpan.FromDays(7), CancellationToken.None),
            () => marks.ResolveAsync(new RestoreRequest { TargetDirectory = null, To = "mark:before", BackupId = null }, "postgres", CancellationToken.None),
            () => marks.ResolveAsync(new RestoreRequest { TargetDirectory = null, To = "mark:before", BackupId = null }, "kubernetes", CancellationToken.None),
            () => new StandingRequests(repository, clock).FindNewestAsync("postgres", CancellationToken.None),
            async () => _ = (await new RunJournal(repository).FindUnfinishedAsync(CancellationToken.None))?.Facts,
            () => new DrillReports(repository).ReadAsync(CancellationToken.None),
        ])
        {
            try
            {
                await use();
            }
            catch (Exception refusal) when (IsRefusal(refusal))
            {
                // In words.
            }
        }
    }

    private static bool IsRefusal(Exception refusal) => refusal is NotRestorableException or SourceException or UsageException or ObjectStoreException;
}
