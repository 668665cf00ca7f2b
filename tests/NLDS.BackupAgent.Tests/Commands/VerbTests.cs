using System.Text.Json;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Commands;

public sealed class VerbTests : IDisposable
{
    private readonly AgentUnderTest agent = new();

    public void Dispose() => agent.Dispose();

    [Theory]
    [InlineData("run")]
    [InlineData("check")]
    [InlineData("backup")]
    [InlineData("list")]
    [InlineData("verify")]
    [InlineData("prune")]
    [InlineData("hold")]
    [InlineData("release")]
    [InlineData("restore")]
    [InlineData("restore postgres")]
    [InlineData("wal-fetch")]
    [InlineData("status")]
    [InlineData("version")]
    public async Task Every_verb_explains_itself_whatever_the_configuration(string verb)
    {
        agent.Write("appsettings.json", "{ broken");

        var answer = await agent.RunAsync([.. verb.Split(' '), "--help"]);

        answer.Exit.ShouldBe(0);
        answer.Out.ShouldContain("--config <FILE>");
        answer.Error.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("bogus")]
    [InlineData("list --bogus")]
    [InlineData("backup")]
    [InlineData("backup mysql")]
    [InlineData("list mysql")]
    [InlineData("verify postgres yesterday")]
    [InlineData("restore mysql")]
    [InlineData("restore")]
    [InlineData("restore postgres --to a --to b")]
    [InlineData("check --config absent.json")]
    public async Task What_cannot_be_meant_is_exit_code_2_without_a_trace(string line)
    {
        var answer = await agent.RunAsync(line.Split(' '));

        answer.Exit.ShouldBe(2);
        answer.Out.ShouldBeEmpty();
        answer.Error.ShouldNotBeEmpty();
        answer.Error.ShouldNotContain("   at ");
    }

    [Theory]
    [InlineData("run")]
    [InlineData("check")]
    [InlineData("backup all")]
    [InlineData("list")]
    [InlineData("verify")]
    [InlineData("restore postgres --plan")]
    [InlineData("status")]
    public async Task A_faulty_configuration_stops_every_verb_with_all_faults(string line)
    {
        agent.Environment["Postgres__Hots"] = "x";
        agent.Environment["Postgres__Port"] = "0";

        var answer = await agent.RunAsync(line.Split(' '));

        answer.Exit.ShouldBe(2);
        answer.Error.ShouldStartWith("The configuration has 2 faults:");
        answer.Error.ShouldContain("Postgres:Hots is not a known key");
        answer.Error.ShouldContain("Postgres:Port is 0. Write 1 to 65535.");
    }

    [Theory]
    [InlineData("list")]
    [InlineData("verify")]
    [InlineData("restore postgres")]
    public async Task What_a_source_or_the_store_says_is_exit_code_1_without_a_trace(string line)
    {
        foreach (var exception in new Exception[] { new SourceException("Refused. Do this.", isPermanent: true), new ObjectStoreException("Refused. Do this.", isPermanent: false) })
        {
            agent.Source.Broken = exception;

            var answer = await agent.RunAsync(line.Split(' '));

            answer.Exit.ShouldBe(1);
            answer.Error.ShouldBe("Refused. Do this." + Environment.NewLine);
        }
    }

    [Fact]
    public async Task Damage_is_exit_code_3_and_a_sources_usage_error_2()
    {
        agent.Source.Broken = new NotRestorableException("A segment is missing.");
        (await agent.RunAsync("restore", "postgres", "--target-directory", "d")).Exit.ShouldBe(3);

        agent.Source.Broken = new UsageException("The target is in the future.");
        (await agent.RunAsync("restore", "postgres", "--target-directory", "d")).Exit.ShouldBe(2);
    }

    [Fact]
    public async Task What_nobody_foresaw_says_that_it_is_a_defect_and_where()
    {
        agent.Source.Broken = new InvalidOperationException("Oops.");

        var answer = await agent.RunAsync("list");

        answer.Exit.ShouldBe(1);
        answer.Error.ShouldContain("Oops. This is a defect");
        answer.Error.ShouldContain("   at ");
    }

    [Fact]
    public async Task No_secret_is_printed_whoever_puts_it_into_a_message()
    {
        agent.Environment["POSTGRES_PASSWORD"] = "hunter2\"<x>";
        agent.Source.Broken = new InvalidOperationException("Server said: password hunter2\"<x> is wrong.");

        var answer = await agent.RunAsync("list");

        answer.Error.ShouldContain("password *** is wrong");
        answer.Error.ShouldNotContain("hunter2");

        agent.Source.Broken = null;
        agent.Source.Findings.Add(new CheckFinding("role", CheckVerdict.Warning, "hunter2\"<x>"));
        (await agent.RunAsync("check", "--json")).Out.ShouldNotContain("hunter2");
    }

    [Fact]
    public async Task Check_marks_each_finding_and_fails_on_a_fault()
    {
        agent.Source.Findings.Add(new CheckFinding("wal_level", CheckVerdict.Warning, "is logical. Nothing to do."));
        (await agent.RunAsync("check")).Exit.ShouldBe(0);

        agent.Source.Findings.Add(new CheckFinding("slot", CheckVerdict.Fault, "is held. Stop the other agent."));
        var answer = await agent.RunAsync("check");

        answer.Exit.ShouldBe(1);
        answer.Out.ShouldContain("✔ postgres: connection: as role nlds.");
        answer.Out.ShouldContain("! postgres: wal_level: is logical. Nothing to do.");
        answer.Out.ShouldContain("✘ postgres: slot: is held. Stop the other agent.");
        answer.Out.ShouldContain("4 looked at, 1 fault, 1 warning.");
    }

    [Fact]
    public async Task A_check_that_breaks_down_is_a_finding_too()
    {
        agent.Source.Broken = new SourceException("No server at localhost:5432.", isPermanent: false);

        var answer = await agent.RunAsync("check", "--json");

        answer.Exit.ShouldBe(1);
        var document = JsonDocument.Parse(answer.Out).RootElement;
        document.GetProperty("verdict").GetString().ShouldBe("Fault");
        document.GetProperty("findings")[2].GetProperty("message").GetString().ShouldBe("No server at localhost:5432.");
    }

    [Fact]
    public async Task Backup_prints_the_id_alone()
    {
        var answer = await agent.RunAsync("backup", "postgres");

        answer.Exit.ShouldBe(0);
        answer.Out.ShouldBe("20260726_020000" + Environment.NewLine);
        answer.Error.ShouldContain("postgres: 3.0 MiB (1.0 MiB stored) in 2 min 0 s.");
    }

    [Fact]
    public async Task Backup_as_json_is_one_document_with_backups_and_failures()
    {
        agent.Source.Take = _ => throw new SourceException("Refused.", isPermanent: true);

        var answer = await agent.RunAsync("backup", "all", "--json");

        answer.Exit.ShouldBe(1);
        var document = JsonDocument.Parse(answer.Out).RootElement;
        document.GetProperty("backups").GetArrayLength().ShouldBe(0);
        document.GetProperty("failures")[0].GetProperty("message").GetString().ShouldBe("Refused.");
    }

    [Fact]
    public async Task A_disabled_source_is_not_backed_up_but_can_be_listed_and_restored()
    {
        agent.Environment["Postgres__Enabled"] = "false";
        agent.Source.Backups.Add(FakeSource.Backup(FakeSource.Day));

        var backup = await agent.RunAsync("backup", "postgres");
        backup.Exit.ShouldBe(2);
        backup.Error.ShouldContain("Set Postgres:Enabled to true.");
        (await agent.RunAsync("backup", "all")).Exit.ShouldBe(2);
        (await agent.RunAsync("list")).Out.ShouldContain("20260726_020000");
        (await agent.RunAsync("restore", "postgres", "--plan")).Exit.ShouldBe(0);
    }

    [Fact]
    public async Task List_is_an_aligned_table_and_the_logs_reach()
    {
        agent.Time = new ManualTime(FakeSource.Day.AddHours(5));
        agent.Source.Backups.Add(FakeSource.Backup(FakeSource.Day.AddDays(-1)) with { VerifiedAt = FakeSource.Day, IsHeld = true });
        agent.Source.Backups.Add(FakeSource.Backup(FakeSource.Day));
        agent.Source.Log = new LogListing(FakeSource.Day, FakeSource.Day.AddHours(1), "0/5A3C1F8", [new LogGapListing("0/1", "0/2", "the slot was lost", null)]);

        var answer = await agent.RunAsync("list", "postgres");

        answer.Exit.ShouldBe(0);
        answer.Out.ReplaceLineEndings("\n").ShouldBe("""
            SOURCE    BACKUP           AGE         TOOK       SIZE     STORED   STATE     KEPT
            postgres  20260725_020000  1 d 4 h     2 min 0 s  3.0 MiB  1.0 MiB  verified  held
            postgres  20260726_020000  4 h 58 min  2 min 0 s  3.0 MiB  1.0 MiB  sealed    newest, daily
            postgres: restorable from 2026-07-26 02:00:00Z to 2026-07-26 03:00:00Z, log ends at 0/5A3C1F8.
            postgres: gap from 0/1 to 0/2: the slot was lost

            """.ReplaceLineEndings("\n"));
    }

    [Fact]
    public async Task List_names_what_can_be_restored_on_either_side_of_a_gap()
    {
        agent.Source.Log = new LogListing(FakeSource.Day, FakeSource.Day.AddHours(5), "0/5A3C1F8", [new LogGapListing("0/1", "0/2", "the slot was lost", null)]).Within(
            [new MomentSpan(FakeSource.Day, FakeSource.Day.AddHours(1)), new MomentSpan(FakeSource.Day.AddHours(3), FakeSource.Day.AddHours(4))]);

        (await agent.RunAsync("list", "postgres")).Out.ShouldContain(
            "postgres: restorable from 2026-07-26 02:00:00Z to 2026-07-26 03:00:00Z, and from 2026-07-26 05:00:00Z to 2026-07-26 06:00:00Z, log ends at 0/5A3C1F8.");
        (await agent.RunAsync("list", "postgres", "--json")).Out.ShouldContain("\"restorableTo\": \"2026-07-26T06:00:00+00:00\"");
    }

    [Fact]
    public async Task List_as_json_holds_the_same()
    {
        agent.Source.Backups.Add(FakeSource.Backup(FakeSource.Day) with { VerifiedAt = FakeSource.Day });
        agent.Source.Backups.Add(FakeSource.Backup(FakeSource.Day.AddDays(1)));

        var source = JsonDocument.Parse((await agent.RunAsync("list", "--json")).Out).RootElement.GetProperty("sources")[0];

        source.GetProperty("source").GetString().ShouldBe("postgres");
        source.GetProperty("backups")[0].GetProperty("id").GetString().ShouldBe("20260726_020000");
        source.GetProperty("backups")[0].GetProperty("state").GetString().ShouldBe("verified");
        source.GetProperty("backups")[0].GetProperty("verifiedAt").GetDateTimeOffset().ShouldBe(FakeSource.Day);
        source.GetProperty("backups")[0].GetProperty("held").GetBoolean().ShouldBeFalse();
        source.GetProperty("backups")[0].GetProperty("kept")[1].GetString().ShouldBe("daily");
        source.GetProperty("backups")[1].GetProperty("state").GetString().ShouldBe("sealed");
        source.GetProperty("backups")[1].GetProperty("kept").ValueKind.ShouldBe(JsonValueKind.Null);
        source.GetProperty("log").ValueKind.ShouldBe(JsonValueKind.Null);
    }

    [Fact]
    public async Task Verify_reads_everything_unless_told_otherwise_and_damage_is_exit_code_3()
    {
        (await agent.RunAsync("verify")).Exit.ShouldBe(0);
        agent.Source.Verified.ShouldBe(VerifyScope.All);
        await agent.RunAsync("verify", "postgres", "latest");
        agent.Source.Verified.ShouldBe(VerifyScope.Latest);
        await agent.RunAsync("verify", "--new");
        agent.Source.Verified.ShouldBe(VerifyScope.New);

        agent.Source.Damage.Add(new DamageFinding("postgres/wal/000", "is missing.", "Nothing after 03:00 can be restored."));
        var answer = await agent.RunAsync("verify", "postgres", "20260726_020000");

        answer.Exit.ShouldBe(3);
        agent.Source.Verified!.BackupId.ShouldBe("20260726_020000");
        answer.Out.ShouldContain("postgres/wal/000: is missing. Cost: Nothing after 03:00 can be restored.");
        JsonDocument.Parse((await agent.RunAsync("verify", "--json")).Out).RootElement.GetProperty("clean").GetBoolean().ShouldBeFalse();
    }

    [Fact]
    public async Task Restore_hands_the_users_words_to_the_source()
    {
        var answer = await agent.RunAsync(
            "restore", "postgres", "--target-directory", "data", "--to", "name:x", "--backup", "20260726_020000", "--tablespace", "/a=/b", "--tablespace", "/c=/d");

        answer.Exit.ShouldBe(0);
        var request = agent.Source.Requested!;
        request.TargetDirectory.ShouldBe(Path.Combine(agent.Working, "data"));
        request.To.ShouldBe("name:x");
        request.BackupId.ShouldBe("20260726_020000");
        request.Options["tablespace"].ShouldBe(["/a=/b", "/c=/d"]);
        agent.Source.Restored.ShouldBeTrue();
        answer.Out.ShouldStartWith("Restored postgres from backup 20260726_020000 to 2026-07-26T14:03:17Z in ");
    }

    [Fact]
    public async Task An_option_with_one_value_is_handed_over_and_taken_once()
    {
        await agent.RunAsync("restore", "postgres", "--plan", "--layout", "flat");
        var twice = await agent.RunAsync("restore", "postgres", "--plan", "--layout", "flat", "--layout", "deep");

        agent.Source.Requested!.Options["layout"].ShouldBe(["flat"]);
        twice.Exit.ShouldBe(2);
        twice.Error.ShouldContain("--layout can be given once.");
    }

    [Fact]
    public async Task An_option_without_a_value_is_handed_over_when_it_is_said()
    {
        await agent.RunAsync("restore", "postgres", "--plan", "--force");

        agent.Source.Requested!.Options.ShouldHaveSingleItem().Key.ShouldBe("force");
    }

    [Fact]
    public async Task What_could_not_be_restored_is_named_and_the_restore_has_failed()
    {
        agent.Source.Outcome = new RestoreOutcome { Notes = ["12 rows restored."], NotRestored = ["sessions: the table is missing."] };

        var answer = await agent.RunAsync("restore", "postgres", "--target-directory", "data");
        answer.Exit.ShouldBe(1);
        answer.Out.ShouldContain("12 rows restored.");
        answer.Out.ShouldContain("in part");
        answer.Error.ShouldContain("Not restored: sessions: the table is missing.");

        answer = await agent.RunAsync("restore", "postgres", "--target-directory", "data", "--json");
        answer.Exit.ShouldBe(1);
        var document = JsonDocument.Parse(answer.Out).RootElement;
        document.GetProperty("restored").GetBoolean().ShouldBeFalse();
        document.GetProperty("notRestored")[0].GetString().ShouldBe("sessions: the table is missing.");
    }

    [Fact]
    public async Task A_partial_backup_says_what_it_lacks_when_it_is_taken_and_when_it_is_listed()
    {
        var whole = FakeSource.Backup(FakeSource.Day);
        var partial = whole with { Manifest = whole.Manifest with { Omissions = ["secrets were forbidden."] } };
        agent.Source.Take = _ => Task.FromResult(partial);

        var answer = await agent.RunAsync("backup", "postgres");
        answer.Exit.ShouldBe(0);
        answer.Error.ShouldContain("the backup is partial: secrets were forbidden.");

        var listed = (await agent.RunAsync("list")).Out;
        listed.ShouldContain("sealed, partial");
        listed.ShouldContain("postgres: 20260726_020000 is partial: secrets were forbidden.");
    }

    [Fact]
    public async Task A_source_at_rest_says_which_backup_holds_it()
    {
        agent.Source.Take = _ => Task.FromResult(FakeSource.Backup(FakeSource.Day) with { UnchangedAt = FakeSource.Day.AddDays(3) });

        var answer = await agent.RunAsync("backup", "postgres");

        answer.Out.Trim().ShouldBe("20260726_020000");
        answer.Error.ShouldContain("postgres: unchanged since backup 20260726_020000; no new one was taken.");
    }

    [Fact]
    public async Task A_plan_says_the_steps_and_does_nothing()
    {
        var answer = await agent.RunAsync("restore", "postgres", "--plan");

        answer.Exit.ShouldBe(0);
        agent.Source.Restored.ShouldBeFalse();
        agent.Source.Requested!.Options.ShouldBeEmpty();
        answer.Out.ReplaceLineEndings("\n").ShouldBe("""
            Restore postgres from backup 20260726_020000 to 2026-07-26T14:03:17Z
              reads 1.0 MiB, writes 3.0 MiB, should take 2 min 5 s
              1. write base.tar
              2. fetch 3 segments
              ! the target is on another disk

            """.ReplaceLineEndings("\n"));
        var plan = JsonDocument.Parse((await agent.RunAsync("restore", "postgres", "--plan", "--json")).Out).RootElement;
        plan.GetProperty("restored").GetBoolean().ShouldBeFalse();
        plan.GetProperty("estimateSeconds").GetDouble().ShouldBe(125);
    }

    [Fact]
    public async Task Status_without_an_agent_is_one_sentence()
    {
        agent.Environment["Agent__Urls"] = "http://127.0.0.1:1";

        var answer = await agent.RunAsync("status");

        answer.Exit.ShouldBe(1);
        answer.Error.ShouldStartWith("No agent answers at http://127.0.0.1:1/status.");
        answer.Error.ShouldNotContain("   at ");
    }

    [Fact]
    public async Task The_version_is_there_as_json_too()
    {
        (await agent.RunAsync("version")).Exit.ShouldBe(0);
        JsonDocument.Parse((await agent.RunAsync("version", "--json")).Out).RootElement.GetProperty("version").GetString().ShouldNotBeNullOrEmpty();
    }
}
