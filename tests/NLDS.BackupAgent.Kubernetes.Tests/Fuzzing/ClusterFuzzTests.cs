using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Objects;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Fuzzing;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Kubernetes.Tests.Fuzzing;

/// <summary>What a cluster and a kubeconfig say, changed at will.</summary>
public sealed class ClusterFuzzTests
{
    private const string Config = """
        apiVersion: v1
        kind: Config
        clusters:
        - name: c
          cluster: {server: "https://10.0.0.1:6443", certificate-authority-data: QUJD, proxy-url: "http://proxy:3128", tls-server-name: kubernetes}
        users:
        - name: u
          user: {token: abc}
        - name: e
          user: {exec: {command: login, args: [a, "b"], env: [{name: A, value: b}], provideClusterInfo: true}}
        contexts:
        - name: x
          context: {cluster: c, user: u, namespace: nlds}
        current-context: x

        """;

    [Fact]
    public void Kubeconfig_files_are_read_or_refused()
    {
        using var directory = new TemporaryDirectory();
        var path = directory["config"];
        var mutator = new ByteMutator(
            [Encoding.UTF8.GetBytes(Config), Encoding.UTF8.GetBytes(Config.Replace("user: u", "user: e", StringComparison.Ordinal))],
            [.. new[] { "[", "{a: ", "- ", "&a ", "*a", "&a [*a, *a]", "? ", "<<: *a", "!!binary ", "\t", "%YAML 1.2\n", "---\n", "|\n", "'", "\"\\x" }.Select(Encoding.UTF8.GetBytes)]);
        new Fuzzer(
            "a kubeconfig",
            mutator.Next,
            input =>
            {
                File.WriteAllBytes(path, input.Bytes);
                Kubeconfig.Read([path], null, TimeProvider.System).Server.IsAbsoluteUri.ShouldBeTrue();
            },
            refusal => refusal is SourceException) { BytesPerByte = 5_000, BaseBytes = 8 << 20 }.Run(150);
    }

    [Fact]
    public void Refusals_of_a_server()
    {
        const string status = """{"kind":"Status","apiVersion":"v1","metadata":{"continue":"x"},"status":"Failure","message":"m","reason":"Conflict","details":{"causes":[{"reason":"FieldManagerConflict","message":"m","field":".spec"}]},"code":409}""";
        var bytes = new ByteMutator([Encoding.UTF8.GetBytes(status)], [.. new[] { "[", "{\"a\":", "\"\\ud800\"", "<html>" }.Select(Encoding.UTF8.GetBytes)]);
        var json = new JsonMutator([status]);
        new Fuzzer(
            "a refusal",
            random => random.Next(2) == 0 ? json.Next(random) : bytes.Next(random),
            input =>
            {
                var refusal = ApiException.Of(409, input.Bytes);
                (refusal.IsFieldConflict || refusal.IsTerminating || refusal.IsImmutable || refusal.IsPassing).ShouldBeOneOf(true, false);
                refusal.Message.Length.ShouldBeLessThan(input.Bytes.Length + 100);
            },
            _ => false).Run(700);
    }

    [Fact]
    public void Objects_are_told_apart_transformed_and_written()
    {
        var samples = Recorded().Select(o => o.ToJsonString()).ToList();
        var kinds = Recorded().Select(o => (Version: o.Text("apiVersion")!, Kind: o.Text("kind")!)).Distinct().ToList();
        var mutator = new JsonMutator(samples);
        new Fuzzer(
            "an object",
            mutator.Next,
            input =>
            {
                if (input.Bytes.Length == 0)
                {
                    return;
                }

                using var document = JsonDocument.Parse(input.Bytes, JsonPaths.Strict);
                Canonical.Digest(document.RootElement).Length.ShouldBe(64);
                var value = JsonObject.Create(document.RootElement.Clone())!;
                var (version, kind) = kinds[(input.Seed & int.MaxValue) % kinds.Count];
                var resource = Resource(version, value.Text("kind") ?? kind);
                var moved = new Transform("nlds", (input.Seed & 1) == 0 ? "nlds" : "copy", KeepsVolumes: (input.Seed & 2) == 0).Apply(resource, value, _ => { });
                YamlText.Document(moved).Length.ShouldBeGreaterThan(0);
            },
            refusal => refusal is JsonException) { BytesPerByte = 2_000 }.Run(700);
    }

    [Fact]
    public void A_refusal_with_a_member_that_is_there_twice_is_told_as_its_text() =>
        ApiException.Of(409, """{"kind":"Status","kind":"Status","message":"m"}"""u8).Message.ShouldContain("\"kind\":\"Status\"");

    private static ApiResource Resource(string apiVersion, string kind)
    {
        var parts = apiVersion.Split('/');
        return new ApiResource(parts.Length == 2 ? parts[0] : "", parts[^1], kind.ToLowerInvariant() + "s", kind, IsNamespaced: true, new HashSet<string>());
    }

    private static List<JsonObject> Recorded()
    {
        using var fixture = typeof(ApiServerDouble).Assembly.GetManifestResourceStream(
            typeof(ApiServerDouble).Assembly.GetManifestResourceNames().Single(name => name.EndsWith("objects.json", StringComparison.Ordinal)))!;
        return [.. JsonNode.Parse(fixture)!.AsArray().Select(node => node!.AsObject())];
    }
}
