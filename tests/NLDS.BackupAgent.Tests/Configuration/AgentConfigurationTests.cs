using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Configuration;

public sealed class AgentConfigurationTests : IDisposable
{
    private readonly AgentUnderTest agent = new();

    public void Dispose() => agent.Dispose();

    [Fact]
    public void Each_layer_lies_over_the_ones_before()
    {
        File.WriteAllText(Path.Combine(agent.Binary, "appsettings.json"), """{ "Postgres": { "Host": "a", "Database": "a", "Username": "a", "Port": 1 } }""");
        agent.Write("appsettings.json", """{ "Postgres": { "Database": "b", "Username": "b", "Port": 2 } }""");
        var file = agent.Write("more.json", """{ "Postgres": { "Username": "c", "Port": 3 } }""");
        agent.Environment["Postgres__Port"] = "4";

        var settings = agent.Load(file).Settings;

        settings["Postgres:Host"].ShouldBe("a");
        settings["Postgres:Database"].ShouldBe("b");
        settings["Postgres:Username"].ShouldBe("c");
        settings["Postgres:Port"].ShouldBe("4");
    }

    [Fact]
    public void The_strategy_documents_names_have_the_last_word()
    {
        agent.Environment["Postgres__Host"] = "other";
        agent.Environment["POSTGRES_HOST"] = "postgres-service";
        agent.Environment["POSTGRES_PORT"] = "5433";
        agent.Environment["POSTGRES_DB"] = "nlds";
        agent.Environment["POSTGRES_USER"] = "backup_user";
        agent.Environment["POSTGRES_PASSWORD"] = "s3cret";
        agent.Environment["REDIS_HOST"] = "there is no such source here";

        var settings = agent.Load().Settings;

        settings["Postgres:Host"].ShouldBe("postgres-service");
        settings["Postgres:Port"].ShouldBe("5433");
        settings["Postgres:Database"].ShouldBe("nlds");
        settings["Postgres:Username"].ShouldBe("backup_user");
        settings["Postgres:Password"].ShouldBe("s3cret");
        settings["Redis:Host"].ShouldBeNull();
    }

    [Fact]
    public void A_port_that_Kubernetes_wrote_for_a_service_named_postgres_is_not_ours()
    {
        agent.Environment["POSTGRES_PORT"] = "tcp://10.3.2.1:5432";

        agent.Load().Settings["Postgres:Port"].ShouldBeNull();
    }

    /// <summary>The parser's message quoted everything from the mistake to the end of the file.</summary>
    [Fact]
    public void A_mistyped_file_is_told_by_its_line_and_shows_nothing_of_the_rest()
    {
        agent.Write("appsettings.json", "{\n  \"Postgres\": { \"Enabled\": tru, \"Password\": \"s3cret-s3cret\" }\n}\n");

        var fault = agent.Faults().ShouldHaveSingleItem();

        fault.ShouldContain("line 2 is not JSON");
        fault.ShouldNotContain("s3cret");
    }

    [Fact]
    public void All_faults_are_named_at_once_each_with_what_to_write()
    {
        agent.Write("appsettings.json", """
            {
              "Postgers": { "Host": "x" },
              "Agent": { "LogFormat": "xml", "Urls": "9464" },
              "Postgres": {
                "Hots": "x", "Port": "many", "Enabled": "perhaps", "Mode": "1", "Include": "all",
                "FullBackup": { "Schedule": "0 2 * * *", "TimeZone": "Mars/Olympus" },
                "Wal": { "FlushInterval": "5", "FlushBytes": 0 },
                "Servers": { "first": { "FlushBites": 1, "FlushBytes": -1 } }
              }
            }
            """);

        var faults = agent.Faults();

        faults.Count.ShouldBe(14);
        faults.ShouldContain(fault => fault.StartsWith("Postgers (in ") && fault.EndsWith("is not a known key. Did you mean Postgres?"));
        faults.ShouldContain("Agent:LogFormat is 'xml', which is not one of Text, Json.");
        faults.ShouldContain(fault => fault.StartsWith("Agent:Urls is '9464'. Write http://"));
        faults.ShouldContain("Postgres:Hots is not a known key. Did you mean Postgres:Host?");
        faults.ShouldContain("Postgres:Port is 'many', which is not a whole number that fits.");
        faults.ShouldContain("Postgres:Enabled is 'perhaps', which is not true or false.");
        faults.ShouldContain("Postgres:Mode is '1', which is not one of Stream, Snapshot.");
        faults.ShouldContain("Postgres:Include is 'all', but it has keys of its own. Write them below it: Postgres:Include:….");
        faults.ShouldContain(fault => fault.StartsWith("Postgres:FullBackup:Schedule is '0 2 * * *', which is not a Quartz cron expression") && fault.Contains("\"0 0 2 * * ?\""));
        faults.ShouldContain(fault => fault.StartsWith("Postgres:FullBackup:TimeZone is 'Mars/Olympus'"));
        faults.ShouldContain("Postgres:Wal:FlushInterval is '5', which is not a duration such as 00:00:05 (hours:minutes:seconds).");
        faults.ShouldContain("Postgres:Wal:FlushBytes is 0. Write 8192 or more.");
        faults.ShouldContain("Postgres:Servers:first:FlushBites is not a known key. Did you mean Postgres:Servers:first:FlushBytes?");
        faults.ShouldContain("Postgres:Servers:first:FlushBytes is -1. Write 8192 or more.");
    }

    [Fact]
    public void A_message_that_names_its_key_stands_alone()
    {
        agent.Write("appsettings.json", """{ "Postgres": { "Host": "" } }""");

        agent.Faults().ShouldBe(["Postgres:Host is empty. Write the server's name."]);
    }

    [Fact]
    public void Other_programs_variables_are_not_judged_but_a_mistyped_key_of_ours_is()
    {
        agent.Environment["POSTGRES"] = "x";
        agent.Environment["Other__Thing"] = "x";
        agent.Environment["PATH"] = "/bin";
        agent.Load();

        agent.Environment["Postgres__Pasword"] = "x";
        agent.Faults().ShouldBe(["Postgres:Pasword is not a known key. Did you mean Postgres:Password?"]);
    }

    [Fact]
    public void The_frameworks_own_sections_are_accepted()
    {
        agent.Write("appsettings.json", """{ "Logging": { "LogLevel": { "Default": "Debug" } }, "AllowedHosts": "*" } // and comments""");

        agent.Load().Settings["Logging:LogLevel:Default"].ShouldBe("Debug");
    }

    [Theory]
    [InlineData("s3cret\n", "s3cret")]
    [InlineData("s3cret\r\n", "s3cret")]
    [InlineData(" with spaces \n\n", " with spaces \n")]
    [InlineData("none", "none")]
    public void A_secret_is_read_from_its_file_without_the_last_newline(string content, string secret)
    {
        agent.Environment["Postgres__PasswordFile"] = agent.Write("password", content);

        var settings = agent.Load().Settings;

        settings["Postgres:Password"].ShouldBe(secret);
        settings["Postgres:PasswordFile"].ShouldBeNull();
    }

    [Fact]
    public void A_secret_and_its_file_exclude_each_other()
    {
        agent.Environment["Postgres__PasswordFile"] = agent.Write("password", "x");
        agent.Environment["POSTGRES_PASSWORD"] = "y";

        agent.Faults().ShouldBe(["Postgres:Password and Postgres:PasswordFile are both set. Keep one of them."]);
    }

    [Fact]
    public void A_secrets_file_that_cannot_be_read_is_a_fault()
    {
        agent.Environment["Postgres__PasswordFile"] = "absent";

        agent.Faults().ShouldHaveSingleItem().ShouldStartWith("Postgres:PasswordFile names 'absent', which cannot be read:");
    }

    [Fact]
    public void Files_that_are_absent_or_broken_are_faults()
    {
        agent.Write("appsettings.json", "{ not json");

        var faults = agent.Faults("absent.json");

        faults.Count.ShouldBe(2);
        faults.ShouldContain(fault => fault.Contains("appsettings.json cannot be read:"));
        faults.ShouldContain(fault => fault.EndsWith("absent.json does not exist. Give --config the path of a JSON file."));
    }

    [Fact]
    public void A_disabled_sources_schedule_is_not_judged()
    {
        agent.Write("appsettings.json", """{ "Postgres": { "Enabled": false, "FullBackup": { "Schedule": "nonsense" } } }""");

        agent.Load().Schedules().ShouldBeEmpty();
    }

    [Fact]
    public void A_schedule_knows_its_time_zone()
    {
        agent.Environment["Postgres__FullBackup__TimeZone"] = "Asia/Tokyo";

        var schedule = agent.Load().Schedules().ShouldHaveSingleItem();

        schedule.Job.ShouldBe("postgres-full");
        schedule.Cron.GetNextValidTimeAfter(FakeSource.Day).ShouldBe(new DateTimeOffset(2026, 7, 26, 17, 0, 0, TimeSpan.Zero));
        schedule.ExpectedInterval(FakeSource.Day).ShouldBe(TimeSpan.FromDays(1));
    }
}
