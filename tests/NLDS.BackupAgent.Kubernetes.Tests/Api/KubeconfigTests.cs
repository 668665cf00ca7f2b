using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Kubernetes.Tests.Api;

public sealed class KubeconfigTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    [Fact]
    public async Task A_client_certificate_and_an_authority_lead_in_over_TLS()
    {
        using var certificates = new TestCertificates("localhost", "127.0.0.1");
        using var identity = certificates.LoadServerIdentity();
        await using var server = await ApiServerDouble.StartAsync(tls: identity);
        var path = Write($$"""
            clusters: [{name: c, cluster: {server: "{{server.Url}}", certificate-authority: {{certificates.RootPath}} } }]
            users: [{name: u, user: {client-certificate: {{certificates.ClientCertificatePath}}, client-key: {{certificates.ClientKeyPath}} } }]
            contexts: [{name: x, context: {cluster: c, user: u, namespace: nlds} }]
            current-context: x
            """);
        var connection = Kubeconfig.Read([path], null, TimeProvider.System);
        using var api = new KubernetesApi(connection, TimeProvider.System);

        connection.Namespace.ShouldBe("nlds");
        (await api.GetObjectAsync("version", CancellationToken.None))["major"]!.GetValue<string>().ShouldBe("1");
        server.Calls.ShouldAllBe(call => call.User != "system:anonymous");
    }

    [Fact]
    public async Task A_certificate_of_nobody_known_is_refused_unless_the_file_says_not_to_look()
    {
        using var certificates = new TestCertificates("localhost", "127.0.0.1");
        using var others = new TestCertificates("localhost");
        using var identity = certificates.LoadServerIdentity();
        await using var server = await ApiServerDouble.StartAsync(tls: identity);
        string Config(string trust) => Write($$"""
            clusters: [{name: c, cluster: {server: "{{server.Url}}", {{trust}} } }]
            users: [{name: u, user: {token: {{ApiServerDouble.Admin}} } }]
            contexts: [{name: x, context: {cluster: c, user: u} }]
            current-context: x
            """);
        using var distrusting = new KubernetesApi(Kubeconfig.Read([Config($"certificate-authority: {others.RootPath}")], null, TimeProvider.System), TimeProvider.System);
        using var careless = new KubernetesApi(Kubeconfig.Read([Config("insecure-skip-tls-verify: true")], null, TimeProvider.System), TimeProvider.System);

        (await Should.ThrowAsync<SourceException>(() => distrusting.GetObjectAsync("version", CancellationToken.None))).Message.ShouldContain("does not trust");
        server.Calls.ShouldBeEmpty();
        await careless.GetObjectAsync("version", CancellationToken.None);
    }

    /// <summary>What fuzzing found: the parser's own defects, an address that is none, and a nest that ended the process.</summary>
    [Theory]
    [InlineData(": {\nc")]
    [InlineData("clusters: [{name: c, cluster: {server: 'https://a', proxy-url: '::'}}]\ncontexts: [{name: x, context: {cluster: c}}]\ncurrent-context: x\n")]
    [InlineData("[")]
    public void A_hostile_file_is_refused_in_words(string text)
    {
        var path = Write(text == "[" ? new string('[', 100_000) : text);

        Should.Throw<SourceException>(() => Kubeconfig.Read([path], null, TimeProvider.System)).Message.ShouldContain(path);
    }

    [Fact]
    public async Task A_plugin_prints_the_token_and_is_asked_again_when_it_is_refused()
    {
        await using var server = await ApiServerDouble.StartAsync();
        var plugin = directory["login"];
        await File.WriteAllTextAsync(plugin, """
            #!/bin/sh
            echo "$1 $SECRET" >> "$0.asked"
            token=stale
            [ $(wc -l < "$0.asked") -gt 1 ] && token=admin-token
            echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'$token'"}}'
            """);
        File.SetUnixFileMode(plugin, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var path = Write($$"""
            clusters: [{name: c, cluster: {server: "{{server.Url}}" } }]
            users: [{name: u, user: {exec: {command: ./login, args: [get-token], env: [{name: SECRET, value: s3}]} } }]
            contexts: [{name: x, context: {cluster: c, user: u} }]
            current-context: x
            """);
        using var api = new KubernetesApi(Kubeconfig.Read([path], null, TimeProvider.System), TimeProvider.System);

        await api.GetObjectAsync("api/v1", CancellationToken.None);

        (await File.ReadAllLinesAsync(plugin + ".asked")).ShouldBe(["get-token s3", "get-token s3"]);
    }

    [Fact]
    public async Task A_pods_token_is_read_again_when_it_was_renewed()
    {
        await using var server = await ApiServerDouble.StartAsync();
        var token = directory["token"];
        await File.WriteAllTextAsync(token, "yesterday's\n");
        var connection = new ClusterConnection { Server = server.Url, Origin = "a test", Credential = new TokenFile(token, TimeProvider.System) };
        using var api = new KubernetesApi(connection, TimeProvider.System);
        (await Should.ThrowAsync<SourceException>(() => api.GetObjectAsync("api/v1", CancellationToken.None))).Message.ShouldContain("does not accept the credentials");

        await File.WriteAllTextAsync(token, ApiServerDouble.Admin + "\n");

        await api.GetObjectAsync("api/v1", CancellationToken.None);
    }

    [Fact]
    public void In_a_pod_the_service_account_counts_and_its_namespace()
    {
        File.WriteAllText(directory["token"], "t");
        File.WriteAllText(directory["namespace"], "nlds\n");

        var found = InCluster.Find(name => name == "KUBERNETES_SERVICE_HOST" ? "fd00::1" : null, TimeProvider.System, directory.Path)!;

        found.Server.ShouldBe(new Uri("https://[fd00::1]:443"));
        found.Namespace.ShouldBe("nlds");
    }

    [Fact]
    public void Of_several_files_the_first_that_says_a_thing_counts()
    {
        var first = Write("""
            current-context: b
            clusters: [{name: c, cluster: {server: "https://first:6443"}}]
            """);
        var second = Write("""
            current-context: a
            clusters: [{name: c, cluster: {server: "https://second:6443"}}]
            contexts: [{name: b, context: {cluster: c}}]
            """);

        Kubeconfig.Read([first, second], null, TimeProvider.System).Server.ShouldBe(new Uri("https://first:6443"));
    }

    [Theory]
    [InlineData("contexts: []", "names no current-context")]
    [InlineData("current-context: x\ncontexts: [{name: y, context: {}}]", "There is no context 'x'")]
    [InlineData("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]", "There is no cluster 'c'")]
    [InlineData("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: nowhere}}]", "is not an http or https address")]
    [InlineData("a: [", "is not YAML")]
    public void What_is_wrong_with_a_file_is_a_sentence(string text, string message) =>
        Should.Throw<SourceException>(() => Kubeconfig.Read([Write(text)], null, TimeProvider.System)).Message.ShouldContain(message);

    public void Dispose() => directory.Dispose();

    private string Write(string text)
    {
        var path = directory[$"{Guid.NewGuid():N}.yaml"];
        File.WriteAllText(path, text);
        return path;
    }
}
