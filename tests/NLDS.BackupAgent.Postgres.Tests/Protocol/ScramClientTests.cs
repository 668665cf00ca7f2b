using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using NLDS.BackupAgent.Postgres.Protocol;

namespace NLDS.BackupAgent.Postgres.Tests.Protocol;

public sealed class ScramClientTests
{
    private static readonly string[] Both = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"];

    [Fact]
    public void Without_tls_there_is_nothing_to_bind_to()
    {
        var scram = ScramClient.Choose(["SCRAM-SHA-256"], "pencil", serverCertificate: null, nonce: "abc");

        scram.Mechanism.ShouldBe("SCRAM-SHA-256");
        Encoding.ASCII.GetString(scram.FirstMessage()).ShouldBe("n,,n=,r=abc");
    }

    [Fact]
    public void With_tls_the_exchange_is_bound_to_the_certificate()
    {
        using var certificate = Certificate(HashAlgorithmName.SHA384);
        var scram = ScramClient.Choose(Both, "pencil", certificate, nonce: "abc");

        scram.Mechanism.ShouldBe("SCRAM-SHA-256-PLUS");
        Encoding.ASCII.GetString(scram.FirstMessage()).ShouldBe("p=tls-server-end-point,,n=,r=abc");
        var binding = Convert.ToBase64String([.. "p=tls-server-end-point,,"u8, .. SHA384.HashData(certificate.RawData)]);
        Encoding.ASCII.GetString(scram.FinalMessage("r=abcdef,s=c2FsdA==,i=4096"u8.ToArray())).ShouldStartWith($"c={binding},r=abcdef,p=");
    }

    [Fact]
    public void A_removed_offer_of_binding_is_told_to_the_server()
    {
        using var certificate = Certificate(HashAlgorithmName.SHA256);

        var scram = ScramClient.Choose(["SCRAM-SHA-256"], "pencil", certificate, nonce: "abc");

        Encoding.ASCII.GetString(scram.FirstMessage()).ShouldBe("y,,n=,r=abc");
    }

    [Theory]
    [InlineData("r=abc,s=c2FsdA==,i=4096")] // the server's half of the nonce is missing
    [InlineData("r=xyzdef,s=c2FsdA==,i=4096")]
    [InlineData("r=abcdef,s=c2FsdA==,i=0")]
    [InlineData("r=abcdef,s=c2FsdA==,i=2000000000")]
    [InlineData("r=abcdef,s=***,i=4096")]
    [InlineData("r=abcdef,s=c2FsdA==")]
    [InlineData("")]
    public void A_malformed_challenge_is_not_answered(string challenge)
    {
        var scram = ScramClient.Choose(Both, "pencil", serverCertificate: null, nonce: "abc");

        Should.Throw<AuthenticationException>(() => scram.FinalMessage(Encoding.ASCII.GetBytes(challenge)));
    }

    [Theory]
    [InlineData("v=AAAA")]
    [InlineData("e=other-error")]
    [InlineData("")]
    public void A_wrong_proof_is_an_impostors(string verdict)
    {
        var scram = ScramClient.Choose(Both, "pencil", serverCertificate: null, nonce: "abc");
        scram.FinalMessage("r=abcdef,s=c2FsdA==,i=4096"u8.ToArray());

        Should.Throw<AuthenticationException>(() => scram.VerifyServer(Encoding.ASCII.GetBytes(verdict)));
        scram.IsServerProven.ShouldBeFalse();
    }

    private static X509Certificate2 Certificate(HashAlgorithmName hash)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new CertificateRequest("CN=server", key, hash)
            .CreateSelfSigned(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero), new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero));
    }
}
